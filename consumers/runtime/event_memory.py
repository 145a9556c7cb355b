"""Reads events out of entries, once for all groups of a process that are given the same."""

from collections.abc import Callable
from typing import Final

from consumers.runtime.entry import Event
from gateway.contract import decode_event

__all__ = ["EventMemory", "ReadEvent", "read_event"]

ReadEvent = Callable[[bytes], tuple[bytes, Event]]

_MOST_BYTES: Final = 8 << 20
"""JSON that is remembered: what groups that keep up with each other are given within a second."""


def read_event(raw: bytes) -> tuple[bytes, Event]:
    """The event of an entry, and its JSON. Raises InvalidEvent."""
    return raw, decode_event(raw)


class EventMemory:
    """Remembers the events that were read last; they and their JSON are in memory once."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._events: dict[bytes, tuple[bytes, Event]] = {}
        self._older: dict[bytes, tuple[bytes, Event]] = {}
        self._size_bytes = 0

    def read(self, raw: bytes) -> tuple[bytes, Event]:
        """The event, and the JSON that others have of it already. Raises InvalidEvent."""
        found = self._events.get(raw)
        if found is None:
            found = self._older.get(raw) or (raw, decode_event(raw))
            self._events[found[0]] = found
            self._size_bytes += len(raw)
            if self._size_bytes > self._most_bytes // 2:
                self._older, self._events, self._size_bytes = self._events, {}, 0
        return found
