"""Gives each read of a connection to the fast lane first, and to aiohttp if it is not taken."""

import asyncio
from typing import Any, Final, Protocol

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.web.fast_lane.known_heads import KnownHead
from gateway.web.fast_lane.lane import FastLane

__all__ = ["LaneConnection"]

_MAX_READ: Final = 8_192
# Longer reads are no delivery of a known head, and are not kept to learn from.


class _Server(Protocol):
    """What a connection tells its server."""

    def request_came(self, handler: RequestHandler) -> None:
        """A request is complete."""
        ...


class LaneConnection(RequestHandler):
    """Is aiohttp's connection, but for requests that the fast lane takes.

    The lane is asked only about a read that begins a request: aiohttp's parser holds nothing of an
    earlier one, no answer is due, and nobody is closing the connection. Once a read was not one
    whole request to aiohttp, which is where the next one begins is known to it alone, the lane is
    not asked any more.
    """

    __slots__ = (
        *("_answered", "_at_boundary", "_behind", "_is_due", "_lane", "_read", "_server"),
        "known_head",
    )

    def __init__(self, lane: FastLane, server: Any, **options: Any) -> None:
        super().__init__(server, **options)
        self._lane = lane
        self.known_head: KnownHead | None = None
        self._server: _Server = server
        self._at_boundary = True
        self._is_due = False
        self._read: bytes | None = None
        self._behind = b""
        self._answered: asyncio.Future[None] | None = None

    @property
    def is_answer_due(self) -> bool:
        """Whether the lane has taken a request that is not answered yet."""
        return self._is_due

    @property
    def remote(self) -> str | None:
        """The address of the peer, as `BaseRequest.remote`."""
        peer = self.peername
        return str(peer[0]) if isinstance(peer, list | tuple) else peer

    def data_received(self, data: bytes) -> None:
        """Let the lane take what it can, and aiohttp the rest."""
        if not data:  # aiohttp, to go on with what its parser holds
            super().data_received(data)
            return
        if self._is_due:
            self._hold_back(data)
            return
        if self._at_boundary:
            if self._is_idle():
                self._is_due = True  # before the lane, which may answer at once
                if self._lane.take(data, self):
                    self._server.request_came(self)
                    return
                self._is_due = False
            self._at_boundary = False
            self._read = data if len(data) <= _MAX_READ else None
        else:
            self._read = None
        super().data_received(data)

    def request_begins(self, *, content_length: int, is_complete: bool) -> None:
        """Note that aiohttp has made a request of what it was given.

        If that was the last read, and all of it, the next read begins a request.
        """
        read = self._read
        if read is not None and is_complete:
            self._at_boundary = read.find(b"\r\n\r\n") + 4 + content_length == len(read)

    def request_ended(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Let the lane learn from a request that aiohttp had answered, if it came in one read."""
        read, self._read = self._read, None
        if read is not None and self._at_boundary:
            self._lane.learn(read, request, response)

    def answer(self, answer: bytes) -> None:
        """Answer what the lane has taken, and go on with what came behind it."""
        self._is_due = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(None)
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        transport.write(answer)
        if self._close:
            transport.close()
            return
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        if self._behind:
            behind, self._behind = self._behind, b""
            transport.resume_reading()
            self.data_received(behind)

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """End, after the answer that is due, which may take as long as aiohttp's requests may."""
        self.close()
        if self._is_due:
            self._answered = self._loop.create_future()
            try:
                async with asyncio.timeout(timeout):
                    await self._answered
            except TimeoutError:
                pass  # cut off
        await super().shutdown(timeout)

    def _is_idle(self) -> bool:
        """Whether aiohttp waits for a request, and will go on doing so."""
        waiter = self._waiter
        return (
            waiter is not None
            and not waiter.done()
            and not (self._close or self._force_close or self._paused)
        )

    def _hold_back(self, data: bytes) -> None:
        """Keep what comes before the answer: who sends one request at a time sends nothing."""
        self._behind += data
        if self.transport is not None:
            self.transport.pause_reading()

    def _process_keepalive(self) -> None:
        """Close a connection that is idle for too long, which it is not while an answer is due."""
        if self._is_due:
            self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        super()._process_keepalive()
