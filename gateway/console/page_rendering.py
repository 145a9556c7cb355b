"""Renders pages by Jinja2: every text is escaped, and a name that is not there is an error."""

from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any, Final

from jinja2 import DictLoader, Environment, StrictUndefined

from gateway.console.hour_charts import HEIGHT, WIDTH, charts_of
from gateway.console.page_texts import ConsoleLanguage, sentences
from gateway.contract import timestamps
from gateway.ops.text_tables import span
from gateway.status.quantities import size
from gateway.terminal import printable, printable_lines

__all__ = ["PageRenderer"]

_UNKNOWN: Final = "-"
_SEPARATORS: Final[dict[ConsoleLanguage, str]] = {"en": ",", "ru": "\N{NO-BREAK SPACE}"}


class PageRenderer:
    """Holds the templates, which are read when it is made."""

    def __init__(self) -> None:
        self._environment = Environment(
            loader=DictLoader(_templates()),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "span": span,
            "size": size,
            "printable": printable,
            "printable_lines": printable_lines,
            "moment": _moment,
            "unix_moment": _unix_moment,
            "duration": _duration,
            "charts": charts_of,
        }
        self._environment.globals |= {"chart_width": WIDTH, "chart_height": HEIGHT}

    def rendered(self, template: str, language: ConsoleLanguage, values: Mapping[str, Any]) -> str:
        """The HTML of a page."""
        return self._environment.get_template(template).render(
            t=sentences(language),
            language=language,
            number=partial(_number, separator=_SEPARATORS[language]),
            **values,
        )


def _templates() -> dict[str, str]:
    folder = files("gateway.console").joinpath("templates")
    return {one.name: one.read_text("utf-8") for one in folder.iterdir() if one.is_file()}


def _number(value: float | None, separator: str) -> str:
    """With separators, so that big ones can be read; a dash for what is not known."""
    if value is None:
        return _UNKNOWN
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
    return text.replace(",", separator)


def _duration(seconds: float | None) -> str:
    """A short time, as `2.5 ms` or `1.2 s`; a dash for what is not known."""
    if seconds is None:
        return _UNKNOWN
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _moment(text: str | None) -> str:
    """An RFC 3339 time as people read it, in UTC as everywhere."""
    return _UNKNOWN if not text else text.replace("T", " ").removesuffix("Z")


def _unix_moment(at_ms: int) -> str:
    """A Unix time in ms, in the same way."""
    return _moment(timestamps.seconds(at_ms / 1000))
