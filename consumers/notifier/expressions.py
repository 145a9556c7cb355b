"""Compiles templates of one dialect: what their expressions come out as, and their filters. Pure.

Templates are Jinja2 in its sandbox, one environment for each dialect that targets show, so that one
template does for all of them: `comment.text` and the filters `bold`, `link` and `quote` write what
the target shows, and every other value is escaped for it.
"""

from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import PackageLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from consumers.notifier.bbcode_text import BBCode
from consumers.notifier.event_words import Language, change_in_words, kind_in_words
from gateway.bitrix24.bbcode import Dialect, escaped, rendered
from gateway.bitrix24.shortening import cut

__all__ = ["compiled"]

_KEPT: Final = 512


@lru_cache(maxsize=_KEPT)
def compiled(source: str, dialect: Dialect, zone: ZoneInfo, language: Language) -> Template:
    """The template, in an environment whose values come out in `dialect`.

    To compile takes milliseconds, and routes have most of their templates in common: those that are
    kept are one and the same. Raises TemplateError.
    """
    return _environment(dialect, zone, language).from_string(source)


@lru_cache(maxsize=_KEPT)
def _environment(
    dialect: Dialect, zone: ZoneInfo, language: Language
) -> ImmutableSandboxedEnvironment:
    filters = _Filters(dialect, zone, language)
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=filters.shown,
        loader=PackageLoader("consumers.notifier"),  # what the defaults include
        # Everything that comes out of an expression goes through `shown`, which escapes it.
        autoescape=False,
    )
    environment.filters |= {
        "bold": filters.bold,
        "change": filters.change,
        "excerpt": _excerpt,
        "link": filters.link,
        "quote": filters.quote,
        "forms": _form,
        "kind": filters.kind,
    }
    return environment


class _Filters:
    """Writes values as one dialect shows them; what comes out as Markup needs no escaping."""

    def __init__(self, dialect: Dialect, zone: ZoneInfo, language: Language) -> None:
        self._dialect: Dialect = dialect
        self._zone = zone
        self._language: Language = language
        self._time_pattern = "%d.%m.%Y %H:%M %Z" if language == "ru" else "%d %b %Y %H:%M %Z"

    def shown(self, value: Any) -> Any:
        """Whatever an expression comes to."""
        if isinstance(value, Markup):
            return value
        if isinstance(value, BBCode):
            return Markup(rendered(value, self._dialect))  # noqa: S704 - `rendered` escapes
        if isinstance(value, datetime):
            return value.astimezone(self._zone).strftime(self._time_pattern)
        if value is None:
            return ""
        return Markup(escaped(str(value), self._dialect))  # noqa: S704 - just escaped

    def bold(self, value: Any) -> Markup:
        """In bold type, where the dialect has it."""
        before, after = {
            "markdown": ("**", "**"),
            "html": ("<b>", "</b>"),
            "bbcode": ("[b]", "[/b]"),
        }.get(self._dialect, ("", ""))
        return Markup(f"{before}{self.shown(value)}{after}")  # noqa: S704

    def change(self, action: str, kind: str, *, sentence: bool = False) -> str:
        """What happened to a subject of a kind, to stand behind its name."""
        return change_in_words(action, kind, self._language, is_sentence=sentence)

    def kind(self, value: str, *, capital: bool = False) -> str:
        """What a kind of subject is called."""
        words = kind_in_words(value, self._language)
        return words[:1].upper() + words[1:] if capital else words

    def link(self, value: Any, url: str) -> Markup:
        """A link with this text, else the text and the address."""
        pattern = {
            "markdown": "[{0}]({1})",
            "html": '<a href="{2}">{0}</a>',
            "bbcode": "[url={1}]{0}[/url]",
        }.get(self._dialect, "{0}: {1}")
        return Markup(pattern.format(self.shown(value), url, escaped(url, "html")))  # noqa: S704

    def quote(self, value: Any) -> Markup:
        """A quotation."""
        text = str(self.shown(value))
        if self._dialect == "html":
            return Markup(f"<blockquote>{text}</blockquote>")  # noqa: S704
        if self._dialect == "bbcode":
            return Markup(f"[quote]{text}[/quote]")  # noqa: S704
        return Markup("\n".join(f"> {line}".rstrip() for line in text.split("\n")))  # noqa: S704


def _excerpt(value: Any, length: int = 120) -> str:
    """The text on one line, cut between words."""
    line = " ".join((rendered(value, "text") if isinstance(value, BBCode) else str(value)).split())
    return cut(line, length)


def _form(count: int, one: str, few: str, many: str | None = None) -> str:
    """The number with the form of the noun that goes with it: two forms in English, else three."""
    if many is None:
        return f"{count} {one if count == 1 else few}"
    if count % 10 == 1 and count % 100 != 11:
        return f"{count} {one}"
    is_few = count % 10 in {2, 3, 4} and count % 100 not in {12, 13, 14}
    return f"{count} {few if is_few else many}"
