"""Frames events as Server-Sent Events, and holds the connection of one client who follows them.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from typing import Any, Final, Literal

import msgspec
import structlog
from aiohttp import HttpVersion11, web

from consumers.feed import metrics

__all__ = [
    "EventStream",
    "LeavingReason",
    "chunk_of",
    "cut_as_slow",
    "event_frame",
    "gone_frame",
    "heartbeat_frame",
]

log: Any = structlog.get_logger(__name__)

LeavingReason = Literal["slow", "closed", "gone", "stopped"]
"""Why a client is not sent what comes any more: it does not read it, has gone away, entries are
lost for it, or the process stops."""

_MOST_BYTES: Final = 262_144
"""Who has so much to read of what all are sent gets no more until it has read most of it."""


def event_frame(event: bytes, cursor: str) -> bytes:
    """An event and the cursor behind it; the event is JSON in one line."""
    return b"id: %s\ndata: %s\n\n" % (cursor.encode(), event)


def heartbeat_frame(cursor: str) -> bytes:
    """A comment, and the cursor up to which there was nothing more; it is no event to a browser."""
    return b":\nid: %s\n\n" % cursor.encode()


def chunk_of(frames: bytes) -> bytes:
    """As a chunk of HTTP/1.1: https://www.rfc-editor.org/rfc/rfc9112#section-7.1."""
    return b"%x\r\n%s\r\n" % (len(frames), frames)


def gone_frame(answer: Any) -> bytes:
    """The event `gone`: the stream ends, for entries are missing that come next."""
    return b"event: gone\ndata: %s\n\n" % msgspec.json.encode(answer)


def cut_as_slow(request: web.BaseRequest) -> None:
    """End the connection of a client who does not read what it has asked for."""
    metrics.CUT.labels("slow").inc()
    log.warning("a client of the feed was cut, which does not read", address=request.remote)
    if request.transport is not None:
        request.transport.abort()


class EventStream:
    """The connection of one client, from the head of the answer to its end."""

    def __init__(self, request: web.BaseRequest, *, send_timeout_s: float) -> None:
        self._request = request
        self._send_timeout_s = send_timeout_s
        self._is_chunked = request.version >= HttpVersion11
        self._left: asyncio.Future[LeavingReason] | None = None
        self.response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx shall pass on each event as it comes
            }
        )
        if self._is_chunked:
            self.response.enable_chunked_encoding()

    @property
    def is_closed(self) -> bool:
        """Whether the client has gone away."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    async def begin(self, first: bytes) -> None:
        """Send the head of the answer, and the first bytes."""
        await self.response.prepare(self._request)
        await self.response.write(first)

    async def send(self, frames: bytes) -> None:
        """Send this, and wait until most of it is read.

        Raises ConnectionError for a client who has gone away, TimeoutError for one who does not
        read.
        """
        if self.is_closed:
            raise ConnectionResetError("the client has gone away")
        if frames:
            self._write(frames, chunk_of(frames))
        async with asyncio.timeout(self._send_timeout_s):
            await self._request.writer.drain()

    async def end(self) -> None:
        """End the answer in order; raises as `send` does."""
        async with asyncio.timeout(self._send_timeout_s):
            await self.response.write_eof()

    def cut(self) -> None:
        """End the connection of a client who does not read, where it stands."""
        cut_as_slow(self._request)

    async def followed(self, within_s: float) -> LeavingReason | None:
        """Wait while somebody else pushes; why that has ended, or None if the time is over."""
        self._left = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(within_s):
                return await self._left
        except TimeoutError:
            return None
        finally:
            self._left = None

    def push(self, frames: bytes, chunk: bytes) -> None:
        """Send frames without waiting; `chunk` are the same as a chunk of HTTP/1.1.

        Both are the same bytes for many clients, of which none makes a copy.
        """
        if self.is_closed:
            self.leave("closed")
        elif self._write(frames, chunk) > _MOST_BYTES:
            self.leave("slow")

    def _write(self, frames: bytes, chunk: bytes) -> int:
        """Write past aiohttp, which would copy it; how much waits to be read then."""
        transport = self._request.transport
        assert transport is not None  # noqa: S101 - it is not closed
        transport.write(chunk if self._is_chunked else frames)
        return transport.get_write_buffer_size()

    def leave(self, reason: LeavingReason) -> None:
        """Let `followed` return; the first reason counts."""
        if self._left is not None and not self._left.done():
            self._left.set_result(reason)
