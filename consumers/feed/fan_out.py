"""Sends what comes to all who follow it: each event is written once, for however many clients.

What comes within a twentieth of a second goes out together: a write costs as much for ten events as
for one. Clients who see the same events are one audience and are sent the same bytes.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Final

from consumers.feed import metrics
from consumers.feed.cursor import Cursors, ReadPlace
from consumers.feed.event_stream import (
    EventStream,
    LeavingReason,
    chunk_of,
    event_frame,
    heartbeat_frame,
)
from consumers.feed.feed_entry import FeedEntry
from consumers.feed.lost_entries import LostReason
from consumers.feed.scope import Scope, ScopeMatcher
from gateway.contract import EntryId

__all__ = ["FanOut"]

_EVERY_S: Final = 0.05


class FanOut:
    """Knows who follows: streams that are sent every event, and requests that wait for one.

    `places` is up to where everything was sent; only who has read up to there can join.
    """

    def __init__(self, cursors: Cursors, partitions: int, *, heartbeat_s: float) -> None:
        self._cursors = cursors
        self._heartbeat_s = heartbeat_s
        self._audiences: dict[Scope, _Audience] = {}
        self._fresh: list[FeedEntry] = []
        self._has_come = asyncio.Event()
        self._flushed: asyncio.Future[None] | None = None
        self.places = [ReadPlace(EntryId(0), 0)] * partitions
        self.lost_reason: LostReason = "forgotten"
        self.is_stopping = False

    def begins(self, partition: int, place: ReadPlace) -> None:
        """Go on from the place that the tail has begun at, or has moved to with nothing to send."""
        self.flush()
        self.places[partition] = place

    def came(self, entry: FeedEntry) -> None:
        """Have an entry sent soon."""
        self._fresh.append(entry)
        self._has_come.set()

    def lost(self, partition: int, reason: LostReason, resume: ReadPlace) -> None:
        """Let all streams end after what was read, which are told then that entries are gone."""
        self.flush()
        self.lost_reason = reason
        self._dismiss("gone")
        self.places[partition] = resume

    def stop(self) -> None:
        """Let all go."""
        self.is_stopping = True
        self.flush()
        self._dismiss("stopped")
        self._tell_flushed()

    async def run(self) -> None:
        """Send what comes, and heartbeats, until cancelled."""
        beat_at = monotonic() + self._heartbeat_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, beat_at - monotonic())):
                    await self._has_come.wait()
            if self._has_come.is_set():
                self.flush()
                # What comes in a burst goes out together; what comes alone has gone at once.
                await asyncio.sleep(_EVERY_S)
            if monotonic() >= beat_at:
                self._beat()
                beat_at = monotonic() + self._heartbeat_s

    def flush(self) -> None:
        """Send what has come."""
        fresh, self._fresh = self._fresh, []
        self._has_come.clear()
        if not fresh:
            return
        frames = _Frames(fresh, self.places, self._cursors)
        for audience in self._audiences.values():
            audience.send(frames)
        frames.go_to_end()
        self._tell_flushed()

    async def follow(
        self, scope: Scope, stream: EventStream, *, within_s: float
    ) -> LeavingReason | None:
        """Have a stream sent what comes, from `places` on; why it has ended, or None if the time is
        over. Right afterwards, `places` says up to where it was sent everything.
        """
        with self._audience(scope) as audience:
            audience.streams[stream] = None
            try:
                return await stream.followed(within_s)
            finally:
                audience.streams.pop(stream, None)

    async def changed(self, scope: Scope, *, within_s: float) -> None:
        """Wait until something has come that is within a scope, or for so long."""
        with self._audience(scope) as audience:
            waiter = asyncio.get_running_loop().create_future()
            audience.waiters[waiter] = None
            metrics.WAITING.inc()
            try:
                await asyncio.wait([waiter], timeout=within_s)
            finally:
                metrics.WAITING.dec()
                audience.waiters.pop(waiter, None)

    async def moved(self, *, within_s: float) -> None:
        """Wait until `places` has changed, or for so long."""
        if self._flushed is None:
            self._flushed = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._flushed], timeout=within_s)

    def _tell_flushed(self) -> None:
        flushed, self._flushed = self._flushed, None
        if flushed is not None and not flushed.done():
            flushed.set_result(None)

    def _dismiss(self, reason: LeavingReason) -> None:
        """Send nobody of those who follow now anything more."""
        for audience in self._audiences.values():
            for stream in audience.streams:
                stream.leave(reason)
            audience.streams.clear()
            audience.wake()

    def _beat(self) -> None:
        frame = heartbeat_frame(self._cursors.written(self.places))
        chunk = chunk_of(frame)
        for audience in self._audiences.values():
            for stream in audience.streams:
                stream.push(frame, chunk)

    @contextmanager
    def _audience(self, scope: Scope) -> Iterator["_Audience"]:
        audience = self._audiences.get(scope)
        if audience is None:
            audience = self._audiences[scope] = _Audience(scope)
        try:
            yield audience
        finally:
            if not audience.streams and not audience.waiters:
                self._audiences.pop(scope, None)


class _Frames:
    """What has come, as frames for those who see texts and for those who do not."""

    def __init__(
        self, entries: Sequence[FeedEntry], places: list[ReadPlace], cursors: Cursors
    ) -> None:
        self.entries = entries
        self._places = places
        self._cursors = cursors
        self._ids: list[str] = []
        self._written: dict[bool, list[bytes]] = {}

    def of(self, *, has_texts: bool) -> list[bytes]:
        """The frames of all entries in their order; that of what is no event is empty."""
        known = self._written.get(has_texts)
        if known is None:
            self._written[has_texts] = known = [
                event_frame(entry.json(has_texts=has_texts), cursor) if entry.raw else b""
                for entry, cursor in zip(self.entries, self._cursors_behind(), strict=True)
            ]
        return known

    def go_to_end(self) -> None:
        """Move the places behind all entries."""
        for entry in self.entries:
            self._places[entry.partition] = entry.place

    def _cursors_behind(self) -> list[str]:
        """The cursor behind each entry: the same for all who have been sent what came before."""
        if not self._ids:
            places = list(self._places)
            for entry in self.entries:
                places[entry.partition] = entry.place
                self._ids.append(self._cursors.written(places))
        return self._ids


class _Audience:
    """Those who see the same events."""

    def __init__(self, scope: Scope) -> None:
        self._matcher = ScopeMatcher(scope)
        self._has_texts = scope.has_texts
        self.streams: dict[EventStream, None] = {}
        self.waiters: dict[asyncio.Future[None], None] = {}

    def send(self, frames: _Frames) -> None:
        has = self._matcher.has
        meant = [bool(one.raw) and has(one.type, one.member_id) for one in frames.entries]
        if not any(meant):
            return
        self.wake()
        if not self.streams:
            return
        of = frames.of(has_texts=self._has_texts)
        together = b"".join([frame for frame, is_meant in zip(of, meant, strict=True) if is_meant])
        chunk = chunk_of(together)
        for stream in self.streams:
            stream.push(together, chunk)
        metrics.SENT.labels("stream").inc(sum(meant) * len(self.streams))

    def wake(self) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(None)
