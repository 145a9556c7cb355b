"""Keeps the handlers that a consumer has declared, and finds the one of an event type."""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from fnmatch import translate

from msgspec import Struct

from consumers.runtime.entry import Entry
from consumers.runtime.transforms import TransformHandler

__all__ = ["BatchHandler", "EventHandler", "Handler", "HandlerTable", "matches"]


class EventHandler(Struct, frozen=True):
    """A function called once for each entry."""

    call: Callable[[Entry], Awaitable[None]]


class BatchHandler(Struct, frozen=True):
    """A function called for up to `max_events` entries of a partition, in their order.

    It is called when that many are there, or `max_bytes` of their JSON, or `max_wait_s` seconds
    after the first of them came. With `across_partitions` that is of all partitions that the
    process owns, in one call.
    """

    call: Callable[[Sequence[Entry]], Awaitable[None]]
    max_events: int
    max_wait_s: float
    max_bytes: int
    across_partitions: bool = False


Handler = EventHandler | BatchHandler | TransformHandler


def matches(pattern: str, types: Iterable[str]) -> bool:
    """Whether a pattern, as a shell's for file names, matches one of these types."""
    compiled = re.compile(translate(pattern))
    return any(compiled.match(one) for one in types)


class HandlerTable:
    """The handlers of one consumer, in the order of their declaration; the first that fits counts.

    Answers are kept by type.
    """

    def __init__(self) -> None:
        self._handlers: list[tuple[re.Pattern[str], Handler]] = []
        self._patterns: list[str] = []
        self._by_type: dict[str, Handler | None] = {}

    @property
    def patterns(self) -> tuple[str, ...]:
        """The patterns, in the order of their declaration."""
        return tuple(self._patterns)

    def is_only(self, kind: type[Handler]) -> bool:
        """Whether all handlers are of this kind."""
        return all(isinstance(handler, kind) for _, handler in self._handlers)

    def add(self, pattern: str, handler: Handler) -> None:
        """Declare one more."""
        self._handlers.append((re.compile(translate(pattern)), handler))
        self._patterns.append(pattern)
        self._by_type.clear()

    def of(self, event_type: str) -> Handler | None:
        """The handler of an event type; None if no pattern matches."""
        try:
            return self._by_type[event_type]
        except KeyError:
            found = next((h for p, h in self._handlers if p.match(event_type)), None)
            # Types come from outside: a sender of ever new ones must not fill the memory.
            if len(self._by_type) < 1000:
                self._by_type[event_type] = found
            return found
