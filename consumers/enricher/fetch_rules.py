"""Decides for which events something is fetched, and by which method. Pure.

Comments always are. Of other events those are whose type was declared with `fetch`.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import translate
from typing import Final, Self

from msgspec import Struct

from consumers import CommentEvent, EntityEvent, Event
from consumers.enricher.wanted import Wanted
from gateway.bitrix24.declared_fetches import declared_fetches
from gateway.bitrix24.fetch_methods import FetchMethod
from gateway.contract import EventSubject
from gateway.event_subscription import EventDeclaration

__all__ = ["FetchRules", "is_deletion"]

_COMMENTS: Final = "bitrix24.crm.timeline.comment.*"


class _Rule(Struct, frozen=True):
    pattern: re.Pattern[str]
    method: FetchMethod


class FetchRules:
    """The declared methods, by patterns of types as a shell matches file names.

    The first pattern that matches a type counts.
    """

    def __init__(self, methods: Mapping[str, FetchMethod]) -> None:
        self._rules = [_Rule(re.compile(translate(one)), two) for one, two in methods.items()]
        self._patterns = tuple(methods)
        self._by_type: dict[str, FetchMethod | None] = {}

    @classmethod
    def of(cls, declarations: Iterable[EventDeclaration]) -> Self:
        """The rules of `[[events]]`.

        Raises SettingsError with a line for each declaration that cannot work.
        """
        return cls(declared_fetches(declarations))

    @property
    def gathered(self) -> tuple[str, ...]:
        """Patterns of all types whose events have to go the way of those that are fetched.

        A deal's events keep their order, also where only some of its types are declared.
        """
        families = (f"{one.rpartition('.')[0]}.*" for one in self._patterns if "." in one)
        return tuple(dict.fromkeys((_COMMENTS, *self._patterns, *families)))

    def wanted(self, event: Event) -> Wanted | None:
        """What is fetched for an event; None if nothing is."""
        if isinstance(event, CommentEvent):
            return Wanted.comment(event.data.comment_id)
        if not isinstance(event, EntityEvent):
            return None
        method = self._method_of(event.type)
        if method is None:
            return None
        try:
            subject = EventSubject.parse(event.subject)
        except ValueError:
            return None
        return Wanted(method, subject) if method.why_not(subject.kind) is None else None

    def _method_of(self, event_type: str) -> FetchMethod | None:
        try:
            return self._by_type[event_type]
        except KeyError:
            found = next((one.method for one in self._rules if one.pattern.match(event_type)), None)
            if len(self._by_type) < 1000:  # types come from outside
                self._by_type[event_type] = found
            return found


def is_deletion(event_type: str) -> bool:
    """Whether an event says that its subject is no more."""
    return event_type.rpartition(".")[2] == "deleted"
