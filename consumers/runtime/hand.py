"""The entries in hand: what was delivered to this process and is not acknowledged yet."""

import asyncio
from collections.abc import Sequence
from typing import Final

from consumers.runtime.held import Held, Source
from consumers.runtime.progress import order

__all__ = ["Hand"]

_RECENT: Final = 5000
_UNSEEN: Final = 1000
"""How many are taken at first, while nothing in hand tells how large they are."""


class Hand:
    """Entries by source and id, and the last ones that were acknowledged.

    A server that lost its memory of deliveries (a failover, a deleted group) delivers again what
    is in hand, and what was acknowledged a moment ago. Both are recognised here; the latter only
    if the hand `remembers`. It must not where what a handler does is kept by the same server, which
    then has lost that as well.
    """

    def __init__(self, max_entries: int, *, max_bytes: int, remembers: bool = True) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._remembers = remembers
        self._size_bytes = 0
        self.changed = asyncio.Event()
        self._held: dict[Source, dict[bytes, Held | None]] = {}
        # Two generations: forgetting the older one as a whole costs nothing for each entry.
        self._recent: dict[Source, dict[bytes, int]] = {}
        self._older: dict[Source, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def count(self, source: Source) -> int:
        """How many entries of a source are in hand."""
        return len(self._held.get(source, ()))

    def room(self) -> int:
        """How many more entries may be taken, by their number and their size; 0 for few.

        Reading one entry each time that one is done would cost a round trip for each.
        """
        count = len(self)
        room = self._max_entries - count
        room_bytes = self._max_bytes - self._size_bytes
        if 4 * room < self._max_entries or 4 * room_bytes < self._max_bytes:
            return 0
        if not self._size_bytes:
            return min(room, _UNSEEN)
        # As many as there is room for if they are like those in hand.
        return max(1, min(room, room_bytes * count // self._size_bytes))

    def has(self, source: Source, entry_id: bytes) -> bool:
        """Whether an entry is in hand."""
        return entry_id in self._held.get(source, ())

    def held(self, source: Source, entry_id: bytes) -> Held | None:
        """An entry in hand; None if it is not, or nobody handles it."""
        return self._held.get(source, {}).get(entry_id)

    def was_handled(self, source: Source, entry_id: bytes, raw: bytes | None) -> bool:
        """Whether this very event was acknowledged at this place a moment ago."""
        recent, older = self._recent.get(source, {}), self._older.get(source, {})
        return raw is not None and hash(raw) in (recent.get(entry_id), older.get(entry_id))

    def add(self, source: Source, entry_id: bytes, held: Held | None) -> None:
        """Take an entry; without `held` it is one that nobody handles, on its way out."""
        self._held.setdefault(source, {})[entry_id] = held
        if held is not None:
            self._size_bytes += len(held.entry.raw)

    def sort(self) -> None:
        """Restore the order by id, after entries were taken out of turn."""
        self._held = {
            source: dict(sorted(entries.items(), key=lambda item: order(item[0].decode())))
            for source, entries in self._held.items()
        }

    def oldest(self, source: Source) -> str | None:
        """The lowest id in hand."""
        entries = self._held.get(source)
        return next(iter(entries)).decode() if entries else None

    def left(self, source: Source) -> dict[int, list[bytes]]:
        """The ids of what nobody has handled yet, by the count of deliveries before this one."""
        left: dict[int, list[bytes]] = {}
        for entry_id, held in self._held.get(source, {}).items():
            if held is not None:
                left.setdefault(held.entry.deliveries - 1, []).append(entry_id)
        return left

    def settle(self, source: Source, ids: Sequence[bytes]) -> None:
        """Let go of entries that the server knows to be done."""
        entries = self._held.get(source, {})
        recent = self._recent.setdefault(source, {})
        for entry_id in ids:
            held = entries.pop(entry_id, None)
            if held is None:
                continue
            self._size_bytes -= len(held.entry.raw)
            if self._remembers:
                recent[entry_id] = hash(held.entry.raw)
        if len(recent) > _RECENT:
            self._older[source] = self._recent.pop(source)
        self.changed.set()
