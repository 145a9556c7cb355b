"""Names what events are about and what happened to it, in the templates' two languages. Pure.

The words are in templates/event_words.json: `kinds` of subjects, with their gender in Russian; what
can be said to be `done` to a subject, in Russian with an ending by that; and what `happened`
otherwise.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Final, Literal

import msgspec
from msgspec import Struct

__all__ = ["Language", "change_in_words", "kind_in_words"]

Language = Literal["en", "ru"]

_ITEM: Final = re.compile(r"item\.\d+")
_NAMED: Final = {"item.31": "invoice"}
# https://apidocs.bitrix24.com/api-reference/crm/data-types.html#object_type


class _Kind(Struct, frozen=True):
    en: str
    ru: str
    gender: str


class _Words(Struct, frozen=True):
    kinds: dict[str, _Kind]
    done: dict[str, str]
    happened: dict[str, str]
    endings: dict[str, str]


def kind_in_words(kind: str, language: Language) -> str:
    """What a kind of subject is called; of one that nobody knows, its own words."""
    known = _known(kind)
    if known is None:
        return kind.replace("_", " ").replace(".", " ")
    return known.en if language == "en" else known.ru


def change_in_words(
    action: str, kind: str, language: Language, *, is_sentence: bool = False
) -> str:
    """What happened to a subject, to stand behind its name: ` updated`, `: status changed`.

    In a sentence it has its verb, where the language needs one: ` was updated`.
    """
    plain = action.replace("_", " ")
    if language == "en":
        return f": {plain}" if " " in plain else f" {'was ' * is_sentence}{plain}"
    words = _words()
    stem = words.done.get(action)
    if stem is None:
        return f": {words.happened.get(action, plain)}"
    known = _known(kind)
    ending = words.endings["m" if known is None else known.gender]
    # The sound moves on to the ending, and with it the dots.
    return f" {stem}" if not ending else f" {stem.replace('ё', 'е')}{ending}"  # noqa: RUF001


def _known(kind: str) -> _Kind | None:
    name = _NAMED.get(kind, "item" if _ITEM.fullmatch(kind) else kind)
    return _words().kinds.get(name)


@cache
def _words() -> _Words:
    text = (files("consumers.notifier") / "templates" / "event_words.json").read_bytes()
    return msgspec.json.decode(text, type=_Words)
