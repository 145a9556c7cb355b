"""Reads the sentences of the page, in English and in Russian: `en.json`, `ru.json` beside this."""

from importlib.resources import files
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

__all__ = ["Language", "Texts", "language_of", "texts_in"]

Language: TypeAlias = Literal["en", "ru"]


class Texts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All sentences in one language; what stands in braces is filled in."""

    product: str
    connected_title: str
    connected: str
    partly_title: str
    partly: str
    unfinished_title: str
    unfinished: str
    refused_title: str
    refused: str
    not_administrator: str
    not_in_plan: str
    other_domain: str
    postponed_title: str
    postponed: str
    portal: str
    accepted: str
    accepted_soon: str
    not_accepted: str
    delivered: str
    no_address: str
    not_delivered: str
    queue: str
    no_queue: str
    queue_failed: str
    access: str
    finishing: str
    finished: str
    not_finished: str
    reference: str


def language_of(code: str) -> Language:
    """The language for a portal's `LANG`."""
    return "ru" if code.lower() == "ru" else "en"


def texts_in(language: Language) -> Texts:
    """The sentences in a language."""
    return _TEXTS[language]


def _read(language: Language) -> Texts:
    raw = files("gateway.installation.page").joinpath(f"{language}.json").read_bytes()
    return msgspec.json.decode(raw, type=Texts)


_TEXTS: Final[dict[Language, Texts]] = {"en": _read("en"), "ru": _read("ru")}
"""Read at the start: an upgrade in place may change the files under a process that runs."""
