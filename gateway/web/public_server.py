"""Serves HTTP on the public port: aiohttp's low-level server, with limits on size and time.

There is one handler and one path, so aiohttp's Application, with its router, middlewares and
signals, would cost a tenth of a request and give nothing.
https://docs.aiohttp.org/en/stable/web_lowlevel.html
"""

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from time import monotonic
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from gateway import metrics
from gateway.background import Background
from gateway.settings import HttpSettings
from gateway.web.fast_lane.lane import FastLane
from gateway.web.fast_lane.lane_connection import LaneConnection
from gateway.web.late_bodies import LateBodies

__all__ = ["PublicServer"]

log: Any = structlog.get_logger(__name__)

_LINGER_S: Final = 1.0
# How long the rest of a refused body is read, so that the sender gets to see the answer.
_INSTANT_S: Final = 1.0
# A sender's first request is there within a round trip, and its body with it.
_LOOK_S: Final = 0.02
# How often a stop looks whether connections are left.


class _Refusals(logging.Filter):
    """Turns aiohttp's traces of requests that are no HTTP into a count and one line without
    what the request said.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            metrics.DELIVERIES.labels("refused", "bad_http").inc()
            log.warning(
                "delivery refused", status=400, reason="bad_http", error=type(error).__name__
            )
            return False
        return True


class _Request(web.BaseRequest):
    """A request whose answers do not say which versions of what they come from."""

    async def _prepare_hook(self, resp: web.StreamResponse) -> None:
        # aiohttp has no setting for it, and its own answers to what is no HTTP pass here, too.
        resp.headers.popall("Server", None)


def _parser_log() -> logging.Logger:
    logger = logging.getLogger("gateway.web.http")
    if not logger.filters:
        logger.addFilter(_Refusals())
    return logger


class RequestAnswering(Protocol):
    """Answers requests; `bodies` are those that are on their way."""

    @property
    def bodies(self) -> LateBodies:
        """Those that are on their way."""
        ...

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        ...


class PublicServer(web.Server):
    """Serves a receiver, and cuts clients that do not get to the end of their first headers, and
    those that are more than `max_connections`.

    aiohttp itself bounds the size of headers, and the idle time between requests, but not the
    time until a connection's first request is complete; `sweep` does that. With a `lane`, what it
    takes passes aiohttp.
    """

    def __init__(
        self,
        receiver: RequestAnswering,
        settings: HttpSettings,
        *,
        max_connections: int,
        lane: FastLane | None = None,
    ) -> None:
        self._options: Final[dict[str, Any]] = {
            "access_log": None,
            "logger": _parser_log(),
            "keepalive_timeout": settings.keepalive_s,
            "lingering_time": _LINGER_S,
            "auto_decompress": False,  # Bitrix24 compresses nothing; a bomb would
        }
        super().__init__(
            receiver.handle if lane is None else self._handle_beside_lane,
            request_factory=self._request,
            **self._options,
        )
        self._receiver = receiver
        self._lane = lane
        self._bodies = receiver.bodies
        self._max_body_bytes = settings.max_body
        self._max_connections = max_connections
        self._header_timeout_s = settings.header_timeout_s
        self._silent: dict[RequestHandler, float] = {}
        self._leaving: set[RequestHandler] = set()
        self._is_stopping = False

    def __call__(self) -> RequestHandler:
        """A connection that is about to be made."""
        if self._lane is None:
            return super().__call__()
        return LaneConnection(self._lane, self, loop=self._loop, **self._options)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """A client connected; its first request is to be complete in time."""
        super().connection_made(handler, transport)
        self._silent[handler] = monotonic()
        if len(self.connections) > self._max_connections:
            self._make_room(handler)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """A client went."""
        self._silent.pop(handler, None)
        self._leaving.discard(handler)
        super().connection_lost(handler, exc)

    def request_came(self, handler: RequestHandler) -> None:
        """A client has said what it wants; it no longer owes its first request."""
        self._silent.pop(handler, None)

    async def sweep(self) -> None:
        """Close, once a second, the connections that owe their first request for too long."""
        while True:
            await asyncio.sleep(1)
            oldest = monotonic() - self._header_timeout_s
            for handler in [h for h, since in self._silent.items() if since < oldest]:
                del self._silent[handler]
                metrics.DELIVERIES.labels("refused", "slow_headers").inc()
                handler.force_close()

    @contextlib.asynccontextmanager
    async def sweeping(self) -> Any:
        """Sweep as long as the context lasts."""
        # Whoever only holds a connection gives way to others without it, too.
        task = Background(self.sweep, name="slow clients", begins_anew=True)
        task.start()
        try:
            yield
        finally:
            await task.close()

    async def last_requests(self, within_s: float) -> None:
        """Answer what is on its way on open connections, each of which then is closed.

        To be called when no new connections are accepted. Returns when no connection is left, or
        after `within_s`: a client that had connected, or that had no way yet to know of the stop,
        has sent its request by then, and one that keeps an idle connection does not hold the stop.
        """
        self._is_stopping = True
        if self._lane is not None:
            self._lane.close()
        end = monotonic() + within_s
        while monotonic() < end:
            if not self.connections:
                return
            await asyncio.sleep(_LOOK_S)

    def _make_room(self, newest: RequestHandler) -> None:
        """Close one connection: one that owes its first request for more than an instant, else one
        that owes a body for as long, else one that is idle between requests, else the newest. The
        oldest of each kind goes first.

        Whoever only holds connections, or sends what he has to say by drops, so keeps nobody else
        out for long: Bitrix24's bodies come with their heads.
        """
        others = (h for h in self._dispensable() if h is not newest and h not in self._leaving)
        victim = next(others, newest)
        self._silent.pop(victim, None)
        self._leaving.add(victim)
        metrics.DELIVERIES.labels("refused", "too_many_connections").inc()
        # Not at once: aiohttp has not yet started the newest one's task.
        self._loop.call_soon(victim.force_close)

    def _dispensable(self) -> Iterator[RequestHandler]:
        instant = monotonic() - _INSTANT_S
        yield from (h for h, since in self._silent.items() if since < instant)
        yield from self._bodies.owed_before(instant)
        yield from filter(self._is_idle, self.connections)

    def _is_idle(self, handler: RequestHandler) -> bool:
        # There is no public way to ask; the tests tell when this one goes.
        is_in_lane = isinstance(handler, LaneConnection) and handler.is_answer_due
        is_at_work = is_in_lane or handler._current_request is not None  # noqa: SLF001
        return not is_at_work and handler not in self._silent

    async def _handle_beside_lane(self, request: web.BaseRequest) -> web.Response:
        response = await self._receiver.handle(request)
        if isinstance(request.protocol, LaneConnection):
            request.protocol.request_ended(request, response)
        return response

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: "asyncio.Task[None]",
    ) -> web.BaseRequest:
        self.request_came(protocol)
        if self._is_stopping:
            message = message._replace(should_close=True)  # answered with `Connection: close`
        request = _Request(
            message,
            payload,
            protocol,
            writer,
            task,
            self._loop,
            client_max_size=self._max_body_bytes,
        )
        if isinstance(protocol, LaneConnection):
            protocol.request_begins(
                content_length=request.content_length or 0, is_complete=payload.is_eof()
            )
        return request
