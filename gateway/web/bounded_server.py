"""Serves HTTP to strangers: aiohttp's low-level server, with limits on connections and time.

Where there are few paths, aiohttp's Application, with its router, middlewares and signals, would
cost a tenth of a request and give nothing.
https://docs.aiohttp.org/en/stable/web_lowlevel.html
"""

import asyncio
import contextlib
import logging
import math
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from time import monotonic
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import RawRequestMessage
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler
from msgspec import Struct

from gateway.background import Background

__all__ = ["BoundedServer", "ServerBounds"]

_INSTANT_S: Final = 1.0
# A sender's first request is there within a round trip, and its body with it.
_LOOK_S: Final = 0.02
# How often a stop looks whether connections are left.


class ServerBounds(Struct, frozen=True, kw_only=True):
    """How many connections there may be, how long the first headers of one may take, and how large
    a body is read.
    """

    max_connections: int
    header_timeout_s: float
    max_body_bytes: int


class _Refusals(logging.Filter):
    """Turns aiohttp's traces of requests that are no HTTP into one call, without what the request
    said.
    """

    def __init__(self, refused: Callable[[Exception], None]) -> None:
        super().__init__()
        self._refused = refused

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._refused(error)
            return False
        return True


class _Request(web.BaseRequest):
    """A request whose answers do not say which versions of what they come from."""

    async def _prepare_hook(self, resp: web.StreamResponse) -> None:
        # aiohttp has no setting for it, and its own answers to what is no HTTP pass here, too.
        resp.headers.popall("Server", None)


class BoundedServer(web.Server):
    """Cuts clients that do not get to the end of their first headers, and those that are more than
    there may be.

    aiohttp itself bounds the size of headers, and the idle time between requests, but not the
    time until a connection's first request is complete; `sweep` does that. `options` are those of
    aiohttp's connections. Whoever is derived from it says what becomes of what is refused.
    """

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        bounds: ServerBounds,
        *,
        log_name: str,
        **options: Any,
    ) -> None:
        logger = logging.getLogger(log_name)
        logger.filters[:] = [_Refusals(self.refused_as_no_http)]
        self._options: Final[dict[str, Any]] = {"access_log": None, "logger": logger, **options}
        super().__init__(handler, request_factory=self._request, **self._options)
        self._bounds = bounds
        self._silent: dict[RequestHandler, float] = {}
        self._leaving: set[RequestHandler] = set()
        self._is_stopping = False

    @abstractmethod
    def refused(self, reason: str) -> None:
        """Note that a connection is cut: `slow_headers` or `too_many_connections`."""

    @abstractmethod
    def refused_as_no_http(self, error: Exception) -> None:
        """Note a request that is none, which has been answered 400."""

    def owing(self, moment: float) -> Iterator[RequestHandler]:
        """Connections that have owed the rest of a request since before a `moment` (monotonic)."""
        del moment
        yield from ()

    def is_at_work(self, handler: RequestHandler) -> bool:
        """Whether an answer is due on a connection."""
        # There is no public way to ask; the tests tell when this one goes.
        return handler._current_request is not None  # noqa: SLF001

    def request_made(self, request: web.BaseRequest, payload: StreamReader) -> None:
        """Note a request whose headers are complete."""

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """A client connected; its first request is to be complete in time."""
        super().connection_made(handler, transport)
        self._silent[handler] = monotonic()
        if len(self.connections) > self._bounds.max_connections:
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
            oldest = monotonic() - self._bounds.header_timeout_s
            for handler in [h for h, since in self._silent.items() if since < oldest]:
                del self._silent[handler]
                self.refused("slow_headers")
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

    async def last_requests(self, within_s: float, *, idle_s: float = math.inf) -> None:
        """Answer what is on its way on open connections, each of which then is closed.

        To be called when no new connections are accepted. Returns when no connection is left, or
        after `within_s`: a client that had connected, or that had no way yet to know of the stop,
        has sent its request by then, and one that keeps an idle connection does not hold the stop.
        Where clients are known to ask again, connections on which no answer is due are waited for
        no longer than `idle_s`.
        """
        self._is_stopping = True
        begun = monotonic()
        while (lasted_s := monotonic() - begun) < within_s:
            if not any(lasted_s < idle_s or self.is_at_work(one) for one in self.connections):
                return
            await asyncio.sleep(_LOOK_S)

    def _make_room(self, newest: RequestHandler) -> None:
        """Close one connection: one that owes its first request for more than an instant, else one
        that owes a body for as long, else one that is idle between requests, else the newest. The
        oldest of each kind goes first.

        Whoever only holds connections, or sends what he has to say by drops, so keeps nobody else
        out for long: what a request has comes with its head.
        """
        others = (h for h in self._dispensable() if h is not newest and h not in self._leaving)
        victim = next(others, newest)
        self._silent.pop(victim, None)
        self._leaving.add(victim)
        self.refused("too_many_connections")
        # Not at once: aiohttp has not yet started the newest one's task.
        self._loop.call_soon(victim.force_close)

    def _dispensable(self) -> Iterator[RequestHandler]:
        instant = monotonic() - _INSTANT_S
        yield from (h for h, since in self._silent.items() if since < instant)
        yield from self.owing(instant)
        yield from filter(self._is_idle, self.connections)

    def _is_idle(self, handler: RequestHandler) -> bool:
        return not self.is_at_work(handler) and handler not in self._silent

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
            client_max_size=self._bounds.max_body_bytes,
        )
        self.request_made(request, payload)
        return request
