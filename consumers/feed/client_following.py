"""Follows the stream for one client: catches up, then has it sent what comes, for some time."""

import asyncio
import random
from collections.abc import Sequence
from time import monotonic
from typing import Any, Final

import structlog
from aiohttp import web
from msgspec import Struct

from consumers.feed import metrics
from consumers.feed.cursor import Cursors, ReadPlace
from consumers.feed.event_stream import EventStream, event_frame, gone_frame, heartbeat_frame
from consumers.feed.fan_out import FanOut
from consumers.feed.feed_answers import gone_answer
from consumers.feed.feed_entry import FeedEntry
from consumers.feed.lost_entries import LostReason
from consumers.feed.page_reading import EntriesLost, FeedPage, PageBounds, PageReader
from consumers.feed.scope import Scope, ScopeMatcher
from gateway.redis_access.connections import FAILURES

__all__ = ["STREAM_PAGE", "StreamFollowing", "StreamTimes"]

log: Any = structlog.get_logger(__name__)

STREAM_PAGE: Final = PageBounds(50, 65_536)
"""What is sent at once to who catches up."""
_AGAIN_S: Final = 2.0
"""How often it is tried whether Redis is back."""
_RETRY_S: Final = (1.0, 5.0)
"""When clients come again: not all at once."""
_SHORTER: Final = 0.9
"""So much shorter a stream may be than its time, so that not all end at once."""


class StreamTimes(Struct, frozen=True):
    """How long a stream lasts, how long its client may take to read, and how often something is
    sent where there is nothing to send.
    """

    longest_s: float
    send_timeout_s: float
    heartbeat_s: float


class StreamFollowing:
    """Follows for one client, of whom it is known already that nothing is missing."""

    def __init__(
        self,
        scope: Scope,
        *,
        cursors: Cursors,
        pages: PageReader,
        fan_out: FanOut,
        times: StreamTimes,
    ) -> None:
        self._scope = scope
        self._matcher = ScopeMatcher(scope)
        self._cursors = cursors
        self._pages = pages
        self._fan_out = fan_out
        self._times = times
        lasts_s = times.longest_s * random.uniform(_SHORTER, 1.0)  # noqa: S311 - it guards nothing
        self._ends_at = monotonic() + lasts_s
        self._sent_at = monotonic()

    async def run(
        self, request: web.BaseRequest, before: Sequence[ReadPlace], page: FeedPage
    ) -> web.StreamResponse:
        """Answer, and return when the stream has ended; `before` is where the page begins."""
        stream = EventStream(request, send_timeout_s=self._times.send_timeout_s)
        retry_ms = round(1000 * random.uniform(*_RETRY_S))  # noqa: S311 - it guards nothing
        try:
            await stream.begin(b"retry: %d\n\n" % retry_ms)
            await self._send(stream, before, page)
            await self._follow(stream, page)
            await stream.end()
        except TimeoutError:
            stream.cut()
        except ConnectionError:
            log.debug("a client of the feed has gone away", address=request.remote)
        return stream.response

    async def _follow(self, stream: EventStream, page: FeedPage) -> None:
        places = page.places
        is_more = page.is_more
        while monotonic() < self._ends_at and not self._fan_out.is_stopping:
            if list(places) == self._fan_out.places:
                reason = await self._fan_out.follow(
                    self._scope, stream, within_s=self._ends_at - monotonic()
                )
                places = tuple(self._fan_out.places)
                self._sent_at = monotonic()
                if reason == "closed":
                    raise ConnectionResetError("the client has gone away")
                if reason == "gone":
                    await self._send_gone(stream, self._fan_out.lost_reason, places)
                    return
                await stream.send(b"")  # until it has read most of it, if it was too slow
            elif not is_more:  # another process has read what this one has not
                await self._fan_out.moved(within_s=_AGAIN_S)
            try:
                page = await self._pages.read(
                    places, self._matcher, bounds=STREAM_PAGE, upto=tuple(self._fan_out.places)
                )
            except EntriesLost as lost:
                await self._send_gone(stream, lost.reason, lost.resume)
                return
            except FAILURES:  # the tail tells of it
                await asyncio.sleep(_AGAIN_S)
                await self._beat(stream, places)
                continue
            await self._send(stream, places, page)
            places, is_more = page.places, page.is_more
            if not page.entries:
                await self._beat(stream, places)
            await asyncio.sleep(0)  # a page of memory waits for nothing

    async def _send(self, stream: EventStream, before: Sequence[ReadPlace], page: FeedPage) -> None:
        if not page.entries:
            return
        await stream.send(b"".join(self._frames(before, page.entries)))
        self._sent_at = monotonic()
        metrics.SENT.labels("stream").inc(len(page.entries))

    def _frames(self, before: Sequence[ReadPlace], entries: Sequence[FeedEntry]) -> list[bytes]:
        """Each with the cursor behind it, from which on a client that comes again is sent all."""
        places, frames = list(before), []
        for entry in entries:
            places[entry.partition] = entry.place
            cursor = self._cursors.written(places)
            frames.append(event_frame(entry.json(has_texts=self._scope.has_texts), cursor))
        return frames

    async def _send_gone(
        self, stream: EventStream, reason: LostReason, resume: Sequence[ReadPlace]
    ) -> None:
        await stream.send(gone_frame(gone_answer(reason, self._cursors, resume)))

    async def _beat(self, stream: EventStream, places: Sequence[ReadPlace]) -> None:
        """Say that the stream lives, if nothing has been said for long."""
        if monotonic() - self._sent_at >= self._times.heartbeat_s:
            await stream.send(heartbeat_frame(self._cursors.written(places)))
            self._sent_at = monotonic()
