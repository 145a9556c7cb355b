"""Reads the sentences of the console, in English and in Russian: `page/en.json`, `page/ru.json`."""

from importlib.resources import files
from typing import Final, Literal, TypeAlias

import msgspec

__all__ = ["LANGUAGES", "ConsoleLanguage", "language_for", "sentences"]

ConsoleLanguage: TypeAlias = Literal["en", "ru"]
LANGUAGES: Final[tuple[ConsoleLanguage, ...]] = ("en", "ru")


def language_for(chosen: str | None, accepted: str) -> ConsoleLanguage:
    """The language that was chosen, else the first of `Accept-Language` that there is."""
    wishes = [chosen or "", *(one.partition(";")[0] for one in accepted.split(","))]
    for wish in wishes:
        code = wish.strip().lower().partition("-")[0]
        if code == "en":
            return "en"
        if code == "ru":
            return "ru"
    return "en"


def sentences(language: ConsoleLanguage) -> dict[str, str]:
    """All sentences in a language, by their keys."""
    return _TEXTS[language]


def _read(language: ConsoleLanguage) -> dict[str, str]:
    raw = files("gateway.console").joinpath("page", f"{language}.json").read_bytes()
    return msgspec.json.decode(raw, type=dict[str, str])


_TEXTS: Final = {language: _read(language) for language in LANGUAGES}
"""Read at the start: an upgrade in place may change the files under a process that runs."""
