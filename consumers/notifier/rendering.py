"""Renders notices as messages, by a route's templates or by the default ones. Pure."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from jinja2 import Template, TemplateError
from msgspec import Struct

from consumers.notifier.event_words import Language
from consumers.notifier.expressions import compiled
from consumers.notifier.message_length import WHOLE, Room, Shortening, largest
from consumers.notifier.notices import Notice
from consumers.notifier.portal_domains import Domains
from consumers.notifier.template_values import item_of
from gateway.bitrix24.bbcode import Dialect, escaped
from gateway.bitrix24.shortening import cut
from gateway.errors import OperatorError

__all__ = ["TargetMessage", "Templates"]

_PARTS: Final = ("title", "body", "digest_title", "digest_body")
_MAX_TITLE: Final = 200
_PREFORMATTED: Final = re.compile(r"(<pre>.*?</pre>)", re.DOTALL)


class TargetMessage(Struct, frozen=True):
    """What a target is given; `dialect` is that of the body."""

    title: str
    body: str
    dialect: Dialect


class Templates:
    """Renders a route's four templates in a dialect, each its own or the default of its language.

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
        title_dialect: Dialect,
        zone: ZoneInfo,
        name: str,
        domains: Domains | None = None,
    ) -> None:
        self.dialect = dialect
        self._domains = domains or Domains()
        self._title_dialect = title_dialect
        self._zone = zone
        self._name = name
        # The same in plain words, to be cut anywhere: without the route's own templates, which are
        # tried in the target's dialect.
        self._in_words = partial(
            Templates,
            {},
            language=language,
            dialect="plain",
            title_dialect="plain",
            zone=zone,
            name=name,
            domains=self._domains,
        )
        dialects = {part: title_dialect if "title" in part else dialect for part in _PARTS}
        self.defaults = {
            part: compiled(_default(part, language), dialects[part], zone, language)
            for part in _PARTS
        }
        self._templates = dict(self.defaults)
        for part in _PARTS:
            if source := given.get(part):
                try:
                    self._templates[part] = compiled(source, dialects[part], zone, language)
                except TemplateError as error:
                    raise OperatorError(f"{name} {part}: {error}") from error

    def message(self, notices: Sequence[Notice], room: Room | None = None) -> TargetMessage:
        """The message about one notice, or about several, cut to the room that there is.

        Raises TemplateError, or whatever else a template may do wrong at run time.
        """
        return self._fitting(notices, self._templates, room) or self.plain_message(notices, room)

    def plain_message(self, notices: Sequence[Notice], room: Room | None = None) -> TargetMessage:
        """The message by the default templates, which cannot fail."""
        found = self._fitting(notices, self.defaults, room)
        return found or self.words(notices, room, max_text=0)

    def words(
        self, notices: Sequence[Notice], room: Room | None, *, max_text: int
    ) -> TargetMessage:
        """The message by the default templates as words alone, which means nothing to a service.

        Of each text it has at most so many characters. Where that is too long, the end is
        left out, but not the link. Cannot fail.
        """
        whole = self._plain.rendered_message(notices, Shortening(text=max_text))
        link = self._link(notices)
        title = self._title(whole.title, room)

        def made(length: int) -> TargetMessage:
            text = cut(whole.body, length)
            if link not in text:
                text = f"{text}\n{link}"
            return TargetMessage(
                title, self._with_breaks(escaped(text, self.dialect)), self.dialect
            )

        if room is None:
            return made(len(whole.body))
        room_for = partial(_holds, room)
        return largest(1, len(whole.body), made, room_for) or made(1)

    def check(self, samples: Sequence[Sequence[Notice]]) -> None:
        """Render every sample; raises OperatorError naming the key of a template that fails."""
        for notices in samples:
            for part in self._parts_for(notices):
                try:
                    self._render(self._templates[part], notices, WHOLE)
                except Exception as error:  # a template may raise anything
                    raise OperatorError(f"{self._name} {part}: {error}") from error

    def rendered_message(
        self,
        notices: Sequence[Notice],
        left: Shortening = WHOLE,
        templates: Mapping[str, Template] | None = None,
    ) -> TargetMessage:
        """The message with what `left` leaves of it, however long that is."""
        title, body = (
            self._render((templates or self.defaults)[part], notices, left)
            for part in self._parts_for(notices)
        )
        return TargetMessage(" ".join(title.split()), self._with_breaks(body), self.dialect)

    def _fitting(
        self, notices: Sequence[Notice], templates: Mapping[str, Template], room: Room | None
    ) -> TargetMessage | None:
        """The message with as much of the comment, or as many items, as there is room for.

        None if nothing is in it, or if there is no room for what else is.
        """
        message = self.rendered_message(notices, WHOLE, templates)
        if not message.body:
            return None
        limit = _MAX_TITLE if room is None else min(_MAX_TITLE, room.title)
        title = message.title
        if len(title) > limit:
            title = self._title(
                self._plain_title(notices) if self._title_dialect != "text" else title, room
            )
        if room is None or room.holds(title, message.body):
            return TargetMessage(title, message.body, self.dialect)

        def made(number: int) -> TargetMessage:
            left = Shortening(text=number) if len(notices) == 1 else Shortening(items=number)
            body = self.rendered_message(notices, left, templates).body
            return TargetMessage(title, body, self.dialect)

        # No character of a comment takes less than one.
        most = room.body if len(notices) == 1 else min(WHOLE.items, len(notices))
        return largest(1, most, made, partial(_holds, room))

    def _title(self, words: str, room: Room | None) -> str:
        limit = _MAX_TITLE if room is None else min(_MAX_TITLE, room.title)
        return (
            largest(
                1,
                limit,
                lambda length: escaped(cut(words, length), self._title_dialect),
                lambda title: len(title) <= limit,
            )
            or ""
        )

    def _plain_title(self, notices: Sequence[Notice]) -> str:
        return self._plain.rendered_message(notices).title

    def _link(self, notices: Sequence[Notice]) -> str:
        item = item_of(notices[0], self._zone, self._domains)
        about = item["comment"] or item["entity"]
        return (about["url"] if len(notices) == 1 and about else None) or ""

    @cached_property
    def _plain(self) -> "Templates":
        return self._in_words()

    def _with_breaks(self, body: str) -> str:
        if self.dialect != "html":
            return body
        return "".join(
            part if part.startswith("<pre>") else part.replace("\n", "<br>\n")
            for part in _PREFORMATTED.split(body)
        )

    @staticmethod
    def _parts_for(notices: Sequence[Notice]) -> tuple[str, str]:
        return ("title", "body") if len(notices) == 1 else ("digest_title", "digest_body")

    def _render(self, template: Template, notices: Sequence[Notice], left: Shortening) -> str:
        items = [
            item_of(notice, self._zone, self._domains, max_text=left.text) for notice in notices
        ]
        return template.render(items=items, shown=left.items, **items[0]).strip()


def _holds(room: Room, message: TargetMessage) -> bool:
    return room.holds(message.title, message.body)


def _default(part: str, language: Language) -> str:
    return (files("consumers.notifier") / "templates" / f"{part}.{language}.j2").read_text("utf-8")
