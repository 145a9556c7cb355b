"""Keeps the newest entries of all partitions in memory, so that many can read them at no cost."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from itertools import islice
from operator import attrgetter
from typing import Final

from consumers.feed.cursor import ReadPlace
from consumers.feed.feed_entry import FeedEntry
from gateway.contract import EntryId

__all__ = ["RecentEntries"]

_ID: Final = attrgetter("id")
_COMPACT_FROM: Final = 256


class RecentEntries:
    """Holds the newest entries, of each partition in order and without a gap.

    Up to `max_bytes` of all partitions, and none for longer than `longest_s` since it came, so that
    what is erased in Redis is soon gone here too; times are of any clock. What came first goes
    first.
    """

    def __init__(self, partitions: int, *, max_bytes: int, longest_s: float) -> None:
        self._runs = [_Run(ReadPlace(EntryId(0), 0)) for _ in range(partitions)]
        self._max_bytes = max_bytes
        self._longest_s = longest_s
        self._came: deque[tuple[float, FeedEntry]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        """How many there are."""
        return sum(len(run) for run in self._runs)

    def begin(self, partition: int, floor: ReadPlace) -> None:
        """Forget a partition: from now on all is known of it that comes after `floor`."""
        self.bytes -= sum(entry.size for entry in self._runs[partition].after(EntryId(0)))
        self._runs[partition] = _Run(floor)

    def add(self, entry: FeedEntry, *, now: float) -> None:
        """Keep the next entry of its partition."""
        self._runs[entry.partition].add(entry)
        self._came.append((now, entry))
        self.bytes += entry.size
        while self.bytes > self._max_bytes and self._came:
            self._drop()

    def expire(self, *, now: float) -> None:
        """Let go what came too long ago."""
        while self._came and now - self._came[0][0] > self._longest_s:
            self._drop()

    def covers(self, partition: int, place: ReadPlace) -> bool:
        """Whether all that comes after a place is known, and the place itself is."""
        return self._runs[partition].knows(place.id)

    def after(self, partition: int, entry_id: EntryId) -> Iterator[FeedEntry]:
        """The entries behind one, in order; whoever goes through them waits for nothing else."""
        return self._runs[partition].after(entry_id)

    def _drop(self) -> None:
        _, entry = self._came.popleft()
        if self._runs[entry.partition].drop(entry):
            self.bytes -= entry.size


class _Run:
    """The entries of one partition; those that were dropped are cut off now and then."""

    def __init__(self, floor: ReadPlace) -> None:
        self._floor = floor.id
        self._entries: list[FeedEntry] = []
        self._start = 0

    def __len__(self) -> int:
        return len(self._entries) - self._start

    def add(self, entry: FeedEntry) -> None:
        self._entries.append(entry)

    def drop(self, entry: FeedEntry) -> bool:
        """Let go the first one, if it is this one; whether it was."""
        if not len(self) or self._entries[self._start] is not entry:
            return False  # it went with a partition that began anew
        self._floor = entry.id
        self._start += 1
        if self._start >= _COMPACT_FROM and 2 * self._start >= len(self._entries):
            del self._entries[: self._start]
            self._start = 0
        return True

    def knows(self, entry_id: EntryId) -> bool:
        if entry_id <= self._floor:
            return entry_id == self._floor
        place = bisect_right(self._entries, entry_id, lo=self._start, key=_ID) - 1
        return place >= self._start and self._entries[place].id == entry_id

    def after(self, entry_id: EntryId) -> Iterator[FeedEntry]:
        start = bisect_right(self._entries, entry_id, lo=self._start, key=_ID)
        return islice(self._entries, start, None)
