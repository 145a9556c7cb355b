"""Decides which routes an event goes to. Pure."""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from msgspec import UNSET, Struct

from gateway.contract import AppEvent, CommentEvent, EntityEvent, Event, OtherEvent
from gateway.settings import NotifierSettings, RouteSettings

__all__ = ["Matcher", "is_echo", "needs_text"]


class Matcher(Struct, frozen=True):
    """Holds a route's conditions: all that are given must be met, each by any of its values.

    A condition on something that the event does not tell (the text, on the stream `events`) does
    not hold.
    """

    route: RouteSettings
    words: re.Pattern[str] | None

    @classmethod
    def of(cls, route: RouteSettings) -> "Matcher":
        """The conditions that a route's settings state."""
        words = "|".join(map(re.escape, (" ".join(word.split()) for word in route.words)))
        # Not \\b, which finds no border beside a word that begins or ends with a sign (`c++`).
        return cls(
            route, re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE) if words else None
        )

    def matches(self, event: Event) -> bool:
        """Whether the route is about this event."""
        route = self.route
        if not any(fnmatchcase(event.type, pattern) for pattern in route.events):
            return False
        if route.portals and not _names_of(event) & set(route.portals):
            return False
        if route.users and _user_of(event) not in route.users:
            return False
        return self._matches_comment(event) if needs_text(route) else True

    def _matches_comment(self, event: Event) -> bool:
        if not isinstance(event, CommentEvent) or event.data.comment is UNSET:
            return False
        comment, route = event.data.comment, self.route
        text = " ".join((comment.text_plain or comment.text or "").split())
        return (
            (not route.entity_types or comment.entity_type in route.entity_types)
            and (not route.entity_ids or comment.entity_id in route.entity_ids)
            and (not route.authors or comment.author_id in route.authors)
            and (self.words is None or self.words.search(text) is not None)
        )


def needs_text(route: RouteSettings) -> bool:
    """Whether the route asks for something that only the stream `comments` tells."""
    return bool(route.entity_types or route.entity_ids or route.authors or route.words)


def is_echo(event: Event, settings: NotifierSettings) -> bool:
    """Whether one of our own integration's users caused the event."""
    if not settings.own_users or not isinstance(event, (CommentEvent, AppEvent, EntityEvent)):
        return False
    user = event.data.user_id
    return user is not None and _is_one_of(user, event.data.member_id, settings.own_users)


def _is_one_of(user: int, member_id: str, own_users: Sequence[str]) -> bool:
    return str(user) in own_users or f"{member_id}/{user}" in own_users


def _names_of(event: Event) -> set[str]:
    """What a condition on the portal may call the event's portal."""
    return set() if isinstance(event, OtherEvent) else {event.data.member_id, event.data.domain}


def _user_of(event: Event) -> int | None:
    return event.data.user_id if isinstance(event, (CommentEvent, AppEvent, EntityEvent)) else None
