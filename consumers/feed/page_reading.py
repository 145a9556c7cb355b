"""Reads pages of the feed: from memory what is new, from Redis what is older."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import takewhile
from operator import attrgetter
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from consumers.feed import metrics
from consumers.feed.cursor import ReadPlace
from consumers.feed.feed_entry import FeedEntry, entry_of
from consumers.feed.lost_entries import LostReason
from consumers.feed.recent_entries import RecentEntries
from consumers.feed.scope import ScopeMatcher
from consumers.feed.stream_look import looked_at
from consumers.feed.stream_tail import StreamTail
from gateway.contract import EntryId

__all__ = ["EntriesLost", "FeedPage", "PageBounds", "PageReader"]

_MOST_READS: Final = 10
"""Pages read of Redis for one of the feed, where hardly any event is wanted."""
_MOST_AT_ONCE: Final = 4
_MOST_ENTRIES: Final = 500
_ID: Final = attrgetter("id")


class EntriesLost(Exception):
    """Somebody cannot go on from a cursor without missing entries; `resume` is where they can."""

    def __init__(self, reason: LostReason, resume: tuple[ReadPlace, ...]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.resume = resume


class PageBounds(Struct, frozen=True):
    """How many events a page has at most, and from how many bytes on it has no more: one that a
    client does not read is in memory for as long as that is waited for.
    """

    events: int
    bytes: int = 1_048_576


class FeedPage(Struct, frozen=True):
    """What comes next: the events that are wanted, where somebody is then, and whether more is
    there already.
    """

    entries: list[FeedEntry]
    places: tuple[ReadPlace, ...]
    is_more: bool


class PageReader:
    """Reads for all clients; `client` is a control client."""

    def __init__(self, client: Redis, tail: StreamTail, recent: RecentEntries) -> None:
        self._client = client
        self._tail = tail
        self._recent = recent
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def read(
        self,
        places: Sequence[ReadPlace],
        matcher: ScopeMatcher,
        *,
        bounds: PageBounds,
        upto: Sequence[ReadPlace],
    ) -> FeedPage:
        """The next events behind the places, of each partition in order, none behind `upto`.

        Asks Redis once for a page where memory does not reach back so far; up to ten times if none
        of what it says is wanted, and the page may then be empty though there is more. Raises
        EntriesLost, and FAILURES of Redis. Waits for nothing where memory does.
        """
        now = list(places)
        await self._confirm(now)
        for _ in range(_MOST_READS):
            all_behind = [one for one, place in enumerate(now) if place.id < upto[one].id]
            # Former partitions first: what stands on later ones came after it.
            layout = next(
                (one for one in self._tail.layouts if _has_any(one, all_behind)), range(0)
            )
            behind = [one for one in all_behind if one in layout]
            older = [one for one in behind if not self._recent.covers(one, now[one])]
            if not older:
                page = self._of_memory(now, behind, matcher, bounds=bounds, upto=upto)
                if page.is_more or behind == all_behind:
                    return page
                for one in behind:
                    now[one] = max(upto[one], now[one], key=_ID)
                if page.entries:
                    return FeedPage(page.entries, tuple(now), is_more=True)
                continue
            # Who is behind everywhere goes on where the oldest is.
            oldest = min(older, key=lambda one: now[one].id)
            entries, is_all = await self._of_redis(now, oldest, bounds=bounds, upto=upto)
            taking = _Taking(matcher, now, bounds)
            if not taking.take(entries) and is_all:
                now[oldest] = upto[oldest]
            if taking.found:
                return FeedPage(taking.found, tuple(now), is_more=True)
        return FeedPage([], tuple(now), is_more=True)

    async def _confirm(self, now: Sequence[ReadPlace]) -> None:
        """See to it that what this process has not read yet is there: another one may be ahead."""
        for one, place in enumerate(now):
            known = self._tail.places[one]
            if known is None or place.id > known.id:
                await self._look(now, one)

    def _of_memory(
        self,
        now: list[ReadPlace],
        behind: Sequence[int],
        matcher: ScopeMatcher,
        *,
        bounds: PageBounds,
        upto: Sequence[ReadPlace],
    ) -> FeedPage:
        taking = _Taking(matcher, now, bounds)
        runs = [self._run(one, now[one].id, upto[one].id) for one in behind]
        if taking.take(merge(*runs, key=_ID)):
            return FeedPage(taking.found, tuple(now), is_more=True)
        # By the number that is known here of an entry, should the cursor's be another one.
        ended = [max(end, place, key=_ID) for end, place in zip(upto, now, strict=True)]
        return FeedPage(taking.found, tuple(ended), is_more=False)

    def _run(self, partition: int, after: EntryId, upto: EntryId) -> Iterator[FeedEntry]:
        return takewhile(lambda entry: entry.id <= upto, self._recent.after(partition, after))

    async def _of_redis(
        self,
        now: Sequence[ReadPlace],
        partition: int,
        *,
        bounds: PageBounds,
        upto: Sequence[ReadPlace],
    ) -> tuple[list[FeedEntry], bool]:
        """The next entries of a partition, and whether those are all up to `upto`.

        With them the entry of the place is read, to see whether it is there.
        """
        place, stream = now[partition], self._tail.streams[partition]
        count = min(bounds.events, _MOST_ENTRIES) + 1
        async with self._room:
            metrics.RANGES.inc()
            page: Any = await self._client.xrange(
                stream.key, str(place.id), str(upto[partition].id), count=count
            )
        is_all = len(page) < count
        if page and EntryId.of(page[0][0]) == place.id:
            del page[0]
        else:
            await self._look(now, partition)
        entries = [
            entry_of(partition, entry_id, place.number + number, fields)
            for number, (entry_id, fields) in enumerate(page, start=1)
        ]
        return entries, is_all

    async def _look(self, now: Sequence[ReadPlace], partition: int) -> None:
        """Raise EntriesLost if somebody would miss entries; where to go on is told of all
        partitions.
        """
        first = await looked_at(self._client, self._tail.streams[partition], now[partition])
        if first.reason is None:
            return
        resume = [
            (await looked_at(self._client, stream, place)).resume
            for stream, place in zip(self._tail.streams, now, strict=True)
        ]
        raise EntriesLost(first.reason, tuple(resume))


def _has_any(layout: range, partitions: Sequence[int]) -> bool:
    return any(one in layout for one in partitions)


class _Taking:
    """Takes the entries that are wanted, until a page is full, and notes how far it came."""

    def __init__(self, matcher: ScopeMatcher, now: list[ReadPlace], bounds: PageBounds) -> None:
        self.found: list[FeedEntry] = []
        self._matcher = matcher
        self._now = now
        self._bounds = bounds
        self._bytes = 0

    def take(self, entries: Iterable[FeedEntry]) -> bool:
        """Whether the page is full."""
        bounds = self._bounds
        for entry in entries:
            self._now[entry.partition] = entry.place
            if entry.raw and self._matcher.has(entry.type, entry.member_id):
                self.found.append(entry)
                self._bytes += len(entry.raw)
                if len(self.found) >= bounds.events or self._bytes >= bounds.bytes:
                    return True
        return False
