"""Decides which events a token lets see, and which of these somebody wants. Pure."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Final

from msgspec import Struct

from gateway.contract import TYPE_BEGINNINGS, may_be_published

__all__ = ["OutsideScope", "Scope", "ScopeMatcher", "UnusableFilter", "refuse_idle_types"]

_PATTERN: Final = re.compile(r"[A-Za-z0-9_.*-]{1,200}")
_PORTAL: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MOST: Final = 100
_REMEMBERED: Final = 1000
"""Types whose answer is remembered; a stream has some hundreds."""


class OutsideScope(Exception):
    """Somebody asks for what the token does not let see; in a sentence for them."""


class UnusableFilter(ValueError):
    """Somebody asks in a way that means nothing; in a sentence for them."""


class Scope(Struct, frozen=True, kw_only=True):
    """Which events, and how much of them: all that are of one of `portals` and of one of `types`.

    `portals` are member ids; None for all. `types` are whole types, or patterns in which `*` stands
    for any text; None for all. Without `has_texts` events come without what people wrote.
    """

    portals: frozenset[str] | None = None
    types: frozenset[str] | None = None
    has_texts: bool = False

    def narrowed(self, *, types: Iterable[str], portals: Iterable[str]) -> "Scope":
        """What of this is asked for; nothing asked: all of it.

        Raises OutsideScope if a pattern or a portal is not within it, UnusableFilter if it is none.
        """
        wanted_types = _given(types, _PATTERN, "types", "a type of event, with * for any text")
        refuse_idle_types(wanted_types or ())
        wanted_portals = _given(portals, _PORTAL, "portal", "the member_id of a portal")
        for one in wanted_types or ():
            # What stands for any text in what is asked for has to be within such a text here.
            if self.types is not None and not _is_of(one, self.types):
                raise OutsideScope(f"this token does not let see events of type {one}")
        for one in wanted_portals or ():
            if self.portals is not None and one not in self.portals:
                raise OutsideScope(f"this token does not let see portal {one}")
        return Scope(
            portals=self.portals if wanted_portals is None else wanted_portals,
            types=self.types if wanted_types is None else wanted_types,
            has_texts=self.has_texts,
        )


class ScopeMatcher:
    """Matches events with a scope, and remembers the answers about types."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._is_meant: dict[str, bool] = {}

    def has(self, event_type: str, member_id: str) -> bool:
        """Whether an event is within the scope."""
        scope = self.scope
        if scope.portals is not None and member_id not in scope.portals:
            return False
        if scope.types is None:
            return True
        known = self._is_meant.get(event_type)
        if known is None:
            known = _is_of(event_type, scope.types)
            if len(self._is_meant) < _REMEMBERED:
                self._is_meant[event_type] = known
        return known


def refuse_idle_types(patterns: Iterable[str]) -> None:
    """Raise UnusableFilter for a pattern that no event will ever be of, which would be waited for
    in silence.
    """
    for one in patterns:
        if not may_be_published(one):
            raise UnusableFilter(
                f"types: no event is of the type {one!r}; they begin with {TYPE_BEGINNINGS[0]!r}"
            )


def _is_of(event_type: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(event_type, pattern) for pattern in patterns)


def _given(
    values: Iterable[str], shape: re.Pattern[str], name: str, what: str
) -> frozenset[str] | None:
    """What somebody asks for; None if that is nothing in particular."""
    found = frozenset(values)
    for one in found:
        if not shape.fullmatch(one):
            raise UnusableFilter(f"{name}: {one[:100]!r} is not {what}")
    if len(found) > _MOST:
        raise UnusableFilter(f"{name}: {len(found)} are too many; {_MOST} are the most")
    return found or None
