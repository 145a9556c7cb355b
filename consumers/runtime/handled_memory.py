"""Remembers which events were acknowledged a moment ago, to know them if they come again."""

from typing import Final

from consumers.runtime.entry import Source
from gateway.contract import InvalidEvent, decode_event

__all__ = ["HandledMemory"]

_RECENT: Final = 5000


class HandledMemory:
    """Remembers the last five to ten thousand of each source, by their place and their ids."""

    def __init__(self) -> None:
        # Two generations: forgetting the older one as a whole costs nothing for each entry.
        self._recent: dict[Source, dict[bytes, int]] = {}
        self._older: dict[Source, dict[bytes, int]] = {}

    def has(self, source: Source, entry_id: bytes, raw: bytes) -> bool:
        """Whether this very event was acknowledged at this place."""
        known = [
            some[source][entry_id]
            for some in (self._recent, self._older)
            if entry_id in some.get(source, ())
        ]
        if not known:
            return False
        try:
            return hash(decode_event(raw).id) in known
        except InvalidEvent:
            return False  # what was acknowledged there could be read

    def latest(self, source: Source) -> dict[bytes, int]:
        """Where to note what is acknowledged: the hash of an event's id, by the entry's."""
        return self._recent.setdefault(source, {})

    def forget(self, source: Source) -> None:
        """Forget the oldest, if there are enough newer ones."""
        if len(self._recent.get(source, ())) > _RECENT:
            self._older[source] = self._recent.pop(source)
