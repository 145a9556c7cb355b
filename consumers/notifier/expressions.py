"""Templates of one dialect: what their expressions come out as, and the filters they have. Pure.

Templates are Jinja2 in its sandbox, one environment for each dialect that targets show, so that one
template does for all of them: `comment.text` and the filters `bold`, `link` and `quote` write what
the target shows, and every other value is escaped for it.
"""

from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from jinja2 import PackageLoader, StrictUndefined, Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from consumers.notifier.template_values import BBCode
from gateway.bitrix24.bbcode import Dialect, escaped, rendered
from gateway.bitrix24.shortening import cut

__all__ = ["Language", "compiled"]

Language = Literal["en", "ru"]


def compiled(source: str, dialect: Dialect, zone: ZoneInfo, language: Language) -> Template:
    """The template, in an environment whose values come out in `dialect`."""

    def shown(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        if isinstance(value, BBCode):
            return Markup(rendered(value, dialect))  # noqa: S704 - `rendered` escapes
        if isinstance(value, datetime):
            return _time(value)
        if value is None:
            return ""
        return Markup(escaped(str(value), dialect))  # noqa: S704 - just escaped

    def _time(value: datetime) -> str:
        pattern = "%d.%m.%Y %H:%M %Z" if language == "ru" else "%d %b %Y %H:%M %Z"
        return value.astimezone(zone).strftime(pattern)

    def excerpt(value: Any, length: int = 120) -> str:
        """The text on one line, cut between words."""
        line = " ".join(
            (rendered(value, "text") if isinstance(value, BBCode) else str(value)).split()
        )
        return cut(line, length)

    def bold(value: Any) -> Markup:
        before, after = {
            "markdown": ("**", "**"),
            "html": ("<b>", "</b>"),
            "bbcode": ("[b]", "[/b]"),
        }.get(dialect, ("", ""))
        return Markup(f"{before}{shown(value)}{after}")  # noqa: S704

    def link(value: Any, url: str) -> Markup:
        pattern = {
            "markdown": "[{0}]({1})",
            "html": '<a href="{2}">{0}</a>',
            "bbcode": "[url={1}]{0}[/url]",
        }.get(dialect, "{0}: {1}")
        return Markup(pattern.format(shown(value), url, escaped(url, "html")))  # noqa: S704

    def quote(value: Any) -> Markup:
        text = str(shown(value))
        if dialect == "html":
            return Markup(f"<blockquote>{text}</blockquote>")  # noqa: S704
        if dialect == "bbcode":
            return Markup(f"[quote]{text}[/quote]")  # noqa: S704
        return Markup("\n".join(f"> {line}".rstrip() for line in text.split("\n")))  # noqa: S704

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
        loader=PackageLoader("consumers.notifier"),  # what the defaults include
        # Everything that comes out of an expression goes through `shown`, which escapes it.
        autoescape=False,
    )
    environment.filters |= {
        "bold": bold,
        "excerpt": excerpt,
        "link": link,
        "quote": quote,
        "forms": _form,
    }
    return environment.from_string(source)


def _form(count: int, one: str, few: str, many: str | None = None) -> str:
    """The number with the form of the noun that goes with it: two forms in English, else three."""
    if many is None:
        return f"{count} {one if count == 1 else few}"
    if count % 10 == 1 and count % 100 != 11:
        return f"{count} {one}"
    is_few = count % 10 in {2, 3, 4} and count % 100 not in {12, 13, 14}
    return f"{count} {few if is_few else many}"
