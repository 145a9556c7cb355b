"""Notices as messages: what templates are given, and the templates themselves. Pure.

Templates are Jinja2 in its sandbox. One environment for each dialect that targets show, so that
one template does for all of them: `comment.text` and the filters `bold`, `link` and `quote` write
what the target shows, and every other value is escaped for it.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from jinja2 import PackageLoader, StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup
from msgspec import UNSET, Struct

from consumers.notifier.notices import Notice
from gateway.bitrix24.bbcode import Dialect, escaped, rendered
from gateway.contract import CommentEvent, PortalEvent, decode_event
from gateway.errors import OperatorError

__all__ = ["Message", "Templates", "item_of"]

_PARTS: Final = ("title", "body", "digest_title", "digest_body")
_MAX_TITLE: Final = 200
_PREFORMATTED: Final = re.compile(r"(<pre>.*?</pre>)", re.DOTALL)
Language = Literal["en", "ru"]


class Message(Struct, frozen=True):
    """What a target is given; `dialect` is that of the body."""

    title: str
    body: str
    dialect: Dialect


class Templates:
    """A route's four templates in a dialect, each its own or the default of its language.

    `given` maps `title`, `body`, `digest_title` and `digest_body` to sources; empty ones stand for
    the defaults. Raises OperatorError, beginning with `name` and the key, for one that cannot be
    compiled.
    """

    def __init__(
        self,
        given: Mapping[str, str],
        *,
        language: Language,
        dialect: Dialect,
        is_title_in_body: bool,
        zone: ZoneInfo,
        name: str,
    ) -> None:
        self.dialect = dialect
        self._zone = zone
        self._name = name
        # A title of its own is never formatted: it is a subject, or a line in bold.
        title_dialect: Dialect = dialect if is_title_in_body else "text"
        dialects = {part: title_dialect if "title" in part else dialect for part in _PARTS}
        self.defaults = {
            part: _compiled(_default(part, language), dialects[part], zone, language)
            for part in _PARTS
        }
        self._templates = dict(self.defaults)
        for part in _PARTS:
            if source := given.get(part):
                try:
                    self._templates[part] = _compiled(source, dialects[part], zone, language)
                except TemplateError as error:
                    raise OperatorError(f"{name} {part}: {error}") from error

    def message(self, notices: Sequence[Notice]) -> Message:
        """The message about one notice, or about several.

        Raises TemplateError, or whatever else a template may do wrong at run time.
        """
        message = self._message(notices, self._templates)
        return message if message.body else self.plain_message(notices)

    def plain_message(self, notices: Sequence[Notice]) -> Message:
        """The message by the default templates, which cannot fail."""
        return self._message(notices, self.defaults)

    def check(self, samples: Sequence[Sequence[Notice]]) -> None:
        """Render every sample; raises OperatorError naming the key of a template that fails."""
        for notices in samples:
            for part in self._parts_for(notices):
                try:
                    self._render(self._templates[part], notices)
                except Exception as error:  # a template may raise anything
                    raise OperatorError(f"{self._name} {part}: {error}") from error

    def _message(self, notices: Sequence[Notice], templates: Mapping[str, Template]) -> Message:
        title, body = (self._render(templates[part], notices) for part in self._parts_for(notices))
        if self.dialect == "html":
            body = "".join(
                part if part.startswith("<pre>") else part.replace("\n", "<br>\n")
                for part in _PREFORMATTED.split(body)
            )
        return Message(" ".join(title.split())[:_MAX_TITLE], body, self.dialect)

    @staticmethod
    def _parts_for(notices: Sequence[Notice]) -> tuple[str, str]:
        return ("title", "body") if len(notices) == 1 else ("digest_title", "digest_body")

    def _render(self, template: Template, notices: Sequence[Notice]) -> str:
        items = [item_of(notice, self._zone) for notice in notices]
        return template.render(items=items, **items[0]).strip()


def item_of(notice: Notice, zone: ZoneInfo) -> dict[str, Any]:
    """What a template is told of one notice; docs/notifier.md lists it."""
    event = decode_event(notice.raw)
    about: dict[str, Any] = {
        "event": {
            "id": event.id,
            "type": event.type,
            "action": event.type.rpartition(".")[2],
            "time": datetime.fromisoformat(event.time).astimezone(zone),
            "data": event.data if isinstance(event.data, dict) else {},
        },
        "count": notice.count,
        "is_new": notice.first == "added",
        "is_held": notice.is_held,
        "portal": getattr(event.data, "domain", "") or event.source,
        "user_id": getattr(event.data, "user_id", None),
        "comment": None,
        "trouble": None,
    }
    if isinstance(event, CommentEvent):
        about["comment"] = _comment(event)
    elif isinstance(event, PortalEvent):
        about["trouble"] = _trouble(event, zone)
    return about


def _comment(event: CommentEvent) -> dict[str, Any]:
    data = event.data
    comment = None if data.comment is UNSET else data.comment
    has_text = comment is not None and comment.state != "unavailable"
    entity_type = comment.entity_type if comment else None
    entity_id = comment.entity_id if comment else None
    return {
        "id": data.comment_id,
        "state": comment.state if comment else None,
        "reason": comment.reason if comment else None,
        "text": _BBCode((comment.text or comment.text_plain or "") if comment and has_text else ""),
        "author_id": comment.author_id if comment else None,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "files": [file.name for file in comment.files] if comment else [],
        "url": _url(data.domain, entity_type, entity_id),
    }


def _trouble(event: PortalEvent, zone: ZoneInfo) -> dict[str, Any]:
    data = event.data
    since, until, expires_at = (
        None if text is None else datetime.fromisoformat(text).astimezone(zone)
        for text in (data.since, data.until, data.expires_at)
    )
    usual = data.usual_per_hour
    return {
        "name": data.trouble,
        "since": since,
        "until": until,
        "usual_per_hour": None if usual is None else round(usual, 1 if usual < 10 else None),
        "missing": list(data.missing),
        "is_mended": data.is_mended,
        "expires_at": expires_at,
        "reason": data.reason,
    }


_PAGES: Final = {
    "lead": "crm/lead/details",
    "deal": "crm/deal/details",
    "contact": "crm/contact/details",
    "company": "crm/company/details",
    "quote": "crm/type/7/details",
    "smart_invoice": "crm/type/31/details",
    "order": "shop/orders/details",
}


def _url(domain: str, entity_type: str | None, entity_id: int | None) -> str | None:
    """The page of the entity in its portal, where the address is known."""
    if not domain or entity_type is None or entity_id is None:
        return None
    page = _PAGES.get(entity_type)
    if entity_type.startswith("dynamic_") and entity_type.removeprefix("dynamic_").isdecimal():
        page = f"crm/type/{entity_type.removeprefix('dynamic_')}/details"
    return f"https://{domain}/{page}/{entity_id}/" if page else None


class _BBCode(str):
    """A comment's text as it stands in the portal; shown in the target's dialect."""

    __slots__ = ()


def _compiled(source: str, dialect: Dialect, zone: ZoneInfo, language: Language) -> Template:
    """The template, in an environment whose values come out in `dialect`."""

    def shown(value: Any) -> Any:
        if isinstance(value, Markup):
            return value
        if isinstance(value, _BBCode):
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
            (rendered(value, "text") if isinstance(value, _BBCode) else str(value)).split()
        )
        return line if len(line) <= length else f"{line[:length].rsplit(' ', 1)[0]}…"

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


def _default(part: str, language: Language) -> str:
    return (files("consumers.notifier") / "templates" / f"{part}.{language}.j2").read_text("utf-8")
