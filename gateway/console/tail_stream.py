"""Sends what comes to a stream to a browser while it comes, as Server-Sent Events.

Five lists a second at most, none longer than a screen is high: of a thousand events a second most
are skipped, and counted. https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import aclosing, suppress
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

from gateway.background import owned
from gateway.console.page_question import PageQuestion
from gateway.console.site_responses import guarded, json_response
from gateway.console.tail_page import TailEntry, stream_of, tailed
from gateway.ending import end
from gateway.errors import OperatorError
from gateway.ops.entry_lines import ReadEntry, is_meant
from gateway.ops.stream_following import follow
from gateway.redis_access.redis_faults import FAILURES, predicate

__all__ = ["TailBatch", "TailStreams", "send_tail"]

_MOST_STREAMS: Final = 10
_EVERY_S: Final = 0.2
_MOST: Final = 40
_SILENT_S: Final = 2.0
"""After so long without an entry something is sent, by which it shows whether anybody listens."""
_LONGEST_S: Final = 600.0
"""Then the browser asks again, and has to be let in again."""


class TailBatch(Struct, frozen=True, kw_only=True):
    """What came since the last list, oldest first; `skipped` more came, and are not shown.

    `redis` is what there is to say of Redis: that it is away, or back.
    """

    entries: list[TailEntry]
    skipped: int
    redis: str | None


class TailStreams:
    """Sends ten at a time from one process: each holds a connection to Redis."""

    def __init__(self) -> None:
        self._count = 0

    async def send(self, request: web.Request, question: PageQuestion) -> web.StreamResponse:
        """As send_tail; 503 if there are so many already. Raises BadQuestion."""
        if self._count >= _MOST_STREAMS:
            return json_response({"error": "too many follow streams already"}, status=503)
        self._count += 1
        try:
            return await send_tail(request, question)
        finally:
            self._count -= 1


async def send_tail(
    request: web.Request, question: PageQuestion, *, longest_s: float = _LONGEST_S
) -> web.StreamResponse:
    """Send what comes from now on, until the browser goes away or the longest time is over.

    Of one that does not read what it is sent the connection is cut two seconds later.
    Raises BadQuestion, before anything is sent, for a stream that there cannot be.
    """
    _, keys = stream_of(question)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    response.enable_chunked_encoding()
    guarded(response)
    await response.prepare(request)
    came = _Came()
    reading = owned(_read(question, keys, came))
    ends_at = time.monotonic() + longest_s
    quiet_since = time.monotonic()
    try:
        with suppress(ConnectionResetError):
            async with asyncio.timeout(longest_s + _SILENT_S):
                while not reading.done() and time.monotonic() < ends_at:
                    await asyncio.wait([reading], timeout=_EVERY_S)
                    if (batch := came.taken()) is not None:
                        await response.write(b"data: " + msgspec.json.encode(batch) + b"\n\n")
                        quiet_since = time.monotonic()
                    elif time.monotonic() - quiet_since > _SILENT_S:
                        await response.write(b":\n\n")
                        quiet_since = time.monotonic()
                await response.write_eof()
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
    finally:
        await end(reading)
    return response


class _Came:
    """What came since it was taken last: the newest of it."""

    def __init__(self) -> None:
        self._entries: deque[ReadEntry] = deque(maxlen=_MOST)
        self._count = 0
        self._said: str | None = None

    def add(self, entry: ReadEntry) -> None:
        self._entries.append(entry)
        self._count += 1

    def say(self, sentence: str) -> None:
        self._said = sentence

    def taken(self) -> TailBatch | None:
        if not self._count and self._said is None:
            return None
        entries, count, said = [*self._entries], self._count, self._said
        self._entries.clear()
        self._count, self._said = 0, None
        return TailBatch(
            entries=[tailed(one) for one in entries], skipped=count - len(entries), redis=said
        )


async def _read(question: PageQuestion, keys: Sequence[str], came: _Came) -> None:
    selection = question.selection
    settings = question.settings.redis

    async def more() -> Sequence[str]:
        return stream_of(question)[1]  # as the receiver, or a look of somebody's, knows it by now

    following = follow(settings.url, keys, told=came.say, containing=selection.event_id, more=more)
    try:
        async with aclosing(following) as entries:
            async for entry in entries:
                if is_meant(entry, selection):
                    came.add(entry)
    except OperatorError as error:
        came.say(str(error))
    except FAILURES as error:
        came.say(f"Redis {' '.join(predicate(error).split())}")
    await asyncio.sleep(2 * _EVERY_S)  # until that is sent; then the browser tries again
