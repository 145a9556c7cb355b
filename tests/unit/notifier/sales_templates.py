"""The templates of a route called sales, and the samples that they are tried with."""

from functools import cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from consumers.notifier.rendering import Templates
from consumers.notifier.samples import samples

__all__ = ["SAMPLES", "templates"]

SAMPLES: Final = dict(samples())


@cache
def templates(dialect: Any = "text", language: Any = "en", **given: str) -> Templates:
    """The default templates of a dialect and a language, or those that are given."""
    return Templates(
        given,
        language=language,
        dialect=dialect,
        title_dialect="text",
        zone=ZoneInfo("Europe/Berlin"),
        name="[[notifier.routes]] sales",
    )
