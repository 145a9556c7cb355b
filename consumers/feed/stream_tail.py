"""Reads what comes to a stream, once for all who follow it, and notices what it could not read."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import structlog
from redis.asyncio import Redis

from consumers.feed import metrics
from consumers.feed.cursor import ReadPlace
from consumers.feed.feed_entry import FeedEntry, entry_of
from consumers.feed.layouts_in_order import LayoutsInOrder
from consumers.feed.lost_entries import LostReason, StreamEnds
from consumers.feed.recent_entries import RecentEntries
from consumers.feed.stream_look import ends_of, looked_at, newest_entries
from consumers.runtime.outages import Outages
from consumers.runtime.stream_pages import pages_of
from gateway.background import owned
from gateway.backoff import Backoff
from gateway.contract import EntryId, Streams
from gateway.ending import end
from gateway.redis_access import connections
from gateway.redis_access.connections import AWAY, AWAY_OR_REFUSING
from gateway.redis_access.entry_count import CountedStream
from gateway.redis_access.redis_url import RedisAddress

__all__ = ["LOOK_S", "Followers", "StreamTail"]

log: Any = structlog.get_logger(__name__)

_BLOCK_S: Final = 2.0
LOOK_S: Final = 10.0
"""How often it is compared how many entries there were, and where the stream begins."""
_COUNT: Final = 1000
_TURN_S: Final = 0.05
_LEAST_COUNT: Final = 10
_BACKOFF: Final = Backoff(first_s=0.2, limit_s=5.0)


class Followers(Protocol):
    """Is told what comes."""

    def begins(self, partition: int, place: ReadPlace) -> None:
        """What comes of a partition is what comes after this place; what came before was told."""
        ...

    def came(self, entry: FeedEntry) -> None:
        """The next entry of its partition."""
        ...

    def lost(self, partition: int, reason: LostReason, resume: ReadPlace) -> None:
        """Entries are gone that nobody was told of; what comes is what comes after `resume`."""
        ...


class StreamTail:
    """Follows all partitions of a stream, by one connection; in a cluster by one for each: what
    comes goes into `recent`, and to `followers`. `client` is a control client.
    """

    def __init__(
        self,
        url: str,
        client: Redis,
        streams: Streams,
        stream: str,
        recent: RecentEntries,
        *,
        outages: Outages,
        remembers_s: float,
        remembers_bytes: int,
    ) -> None:
        self._url = url
        self._recent = recent
        self._outages = outages
        self._remembers_ms = round(remembers_s * 1000)
        self._remembers_bytes = remembers_bytes // len(streams.numbers)
        self.streams = [
            CountedStream(streams.key(stream, one), streams.retention_marks(stream, one))
            for one in streams.numbers
        ]
        self.layouts = streams.layouts
        self.places: list[ReadPlace | None] = [None] * len(self.streams)
        self._ends = [StreamEnds()] * len(self.streams)
        self._order = LayoutsInOrder(client, self.layouts, self.streams)
        self._missing = set(streams.numbers)
        self.heard_at = time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Whether all partitions are followed."""
        return not self._missing

    @property
    def oldest(self) -> list[ReadPlace]:
        """Before the first entry that each partition had when it was looked at last."""
        return [ends.oldest for ends in self._ends]

    @property
    def known_places(self) -> tuple[ReadPlace, ...]:
        """Up to where all partitions were read; to be asked once they are followed."""
        return tuple(self._place(one) for one in range(len(self.places)))

    async def run(self, followers: Followers, stop: asyncio.Event) -> None:
        """Follow until `stop` is set; while Redis is away keep trying, and go on from there.

        Raises OperatorError if Redis denies this user from the start what it has to do.
        """
        everything = range(len(self.places))
        is_cluster = RedisAddress.of(self._url).kind == "cluster"
        parts = [(one,) for one in everything] if is_cluster else [tuple(everything)]
        stopping = owned(stop.wait())
        reading = [owned(self._follow(part, followers)) for part in parts]
        try:
            done, _ = await asyncio.wait([stopping, *reading], return_when=asyncio.FIRST_COMPLETED)
            for one in done:
                one.result()
        finally:
            await end(stopping, *reading)

    async def _follow(self, part: Sequence[int], followers: Followers) -> None:
        outage = self._outages.of("reading failed", stream=self.streams[part[0]].key)
        failures = 0
        while True:
            try:
                client = await connections.reader_of(
                    self._url, self.streams[part[0]].key, block_s=_BLOCK_S
                )
                try:
                    client.set_response_callback("XREAD", pages_of)
                    await self._begin(client, part, followers)
                    outage.over()
                    self._outages.worked()
                    failures = 0
                    await self._read(client, part, followers)
                finally:
                    with suppress(*AWAY):
                        await client.aclose()
            except AWAY_OR_REFUSING as error:
                self._missing.update(part)
                failures += 1
                outage.failed(error)
            await asyncio.sleep(_BACKOFF.delay_s(failures))

    async def _begin(self, client: Redis, part: Sequence[int], followers: Followers) -> None:
        """Find out whether all that follows can be read; at first, remember what was there."""
        for one in part:
            self._ends[one] = await ends_of(client, self.streams[one].key)
            if self.places[one] is None:
                self.places[one] = began = await self._remember(client, one)
                followers.begins(one, began)
            else:
                await self._check(client, one, followers)
        self._missing.difference_update(part)

    async def _read(self, client: Redis, part: Sequence[int], followers: Followers) -> None:
        count = max(_LEAST_COUNT, _COUNT // len(part))
        numbers = {self.streams[one].key.encode(): one for one in part}
        look_at = time.monotonic() + LOOK_S
        while True:
            positions: Any = {self.streams[one].key: str(self._place(one).id) for one in part}
            pages: Any = await client.xread(positions, count=count, block=int(_BLOCK_S * 1000))
            before, self.heard_at = self.heard_at, time.monotonic()
            is_behind = self.heard_at - before > 2 * _BLOCK_S
            for one, page in sorted((numbers[key], page) for key, page in pages.items()):
                if not await self._order.may_begin(one, self.places):
                    await asyncio.sleep(_TURN_S)
                    continue
                if is_behind or len(page) >= count:
                    is_all = await self._check(client, one, followers)
                    if not is_all:
                        continue
                self._take(one, page, followers)
            if self.heard_at >= look_at:
                for one in part:
                    await self._look(client, one, followers)
                self._recent.expire(now=time.monotonic())
                look_at = time.monotonic() + LOOK_S

    def _take(self, partition: int, page: Any, followers: Followers) -> None:
        number, now = self._place(partition).number, time.monotonic()
        for entry_id, fields in page:
            number += 1
            entry = entry_of(partition, entry_id, number, fields)
            if not entry.raw:
                _tell_unreadable(self.streams[partition].key, entry_id)
            self.places[partition] = entry.place
            self._recent.add(entry, now=now)
            followers.came(entry)

    async def _check(self, client: Redis, partition: int, followers: Followers) -> bool:
        """Whether all that comes next is still there; asked before it is handed on, where this
        process was behind for long enough that some of it may have been trimmed.
        """
        place = self._place(partition)
        looked = await looked_at(client, self.streams[partition], place)
        if looked.reason is None:
            return True
        self._lose(partition, looked.reason, looked.resume, followers)
        return False

    async def _look(self, client: Redis, partition: int, followers: Followers) -> None:
        """Compare, where nothing is left to read, how many were read with how many there were."""
        before, place = self._ends[partition], self._place(partition)
        self._ends[partition] = ends = await ends_of(client, self.streams[partition].key)
        is_next_gone = ends.last > place.id and (ends.first is None or ends.first > place.id)
        if is_next_gone or ends.last < place.id:
            await self._check(client, partition, followers)
        elif ends.last == place.id and ends.added != place.number:
            if ends.added > place.number and ends.max_deleted > before.max_deleted:
                # The others were erased on request, or by whoever deletes one by one.
                self.places[partition] = ends.newest
                followers.begins(partition, ends.newest)
                return
            is_missing = ends.added > place.number
            self._lose(partition, "trimmed" if is_missing else "forgotten", ends.newest, followers)

    def _lose(
        self, partition: int, reason: LostReason, resume: ReadPlace, followers: Followers
    ) -> None:
        metrics.LOST.labels(reason).inc()
        log.error(
            "entries are gone that the feed had not read",
            stream=self.streams[partition].key,
            reason=reason,
            read_up_to=str(self._place(partition).id),
            goes_on_after=str(resume.id),
        )
        self.places[partition] = resume
        self._recent.begin(partition, resume)
        followers.lost(partition, reason, resume)

    async def _remember(self, client: Redis, partition: int) -> ReadPlace:
        """Read the newest entries of before, so that those who come again find them in memory."""
        stream, ends = self.streams[partition], self._ends[partition]
        found = await newest_entries(
            client,
            stream.key,
            ends,
            within_ms=self._remembers_ms,
            max_bytes=self._remembers_bytes,
        )
        number = ends.added - len(found)
        first = EntryId.of(found[0][0]).previous if found else ends.last
        self._recent.begin(partition, ReadPlace(first, number))
        for entry_id, fields in found:
            number += 1
            self._recent.add(entry_of(partition, entry_id, number, fields), now=time.monotonic())
        return ends.newest

    def _place(self, partition: int) -> ReadPlace:
        place = self.places[partition]
        assert place is not None  # noqa: S101 - it has begun
        return place


def _tell_unreadable(key: str, entry_id: bytes) -> None:
    metrics.UNREADABLE.inc()
    log.warning("an entry is no event: nobody is sent it", stream=key, entry_id=entry_id.decode())
