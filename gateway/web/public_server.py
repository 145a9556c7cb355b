"""Serves HTTP on the public port, which Bitrix24 posts to; counts and logs what it refuses."""

import math
from collections.abc import Iterator
from typing import Any, Final, Protocol

import structlog
from aiohttp import web
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from gateway import metrics
from gateway.settings import HttpSettings
from gateway.web.bounded_server import BoundedServer, ServerBounds
from gateway.web.fast_lane.lane import FastLane
from gateway.web.fast_lane.lane_connection import LaneConnection
from gateway.web.late_bodies import LateBodies

__all__ = ["PublicServer"]

log: Any = structlog.get_logger(__name__)

_LINGER_S: Final = 1.0
# How long the rest of a refused body is read, so that the sender gets to see the answer.


class RequestAnswering(Protocol):
    """Answers requests; `bodies` are those that are on their way."""

    @property
    def bodies(self) -> LateBodies:
        """Those that are on their way."""
        ...

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        ...


class PublicServer(BoundedServer):
    """Serves a receiver. With a `lane`, what it takes passes aiohttp."""

    def __init__(
        self,
        receiver: RequestAnswering,
        settings: HttpSettings,
        *,
        max_connections: int,
        lane: FastLane | None = None,
    ) -> None:
        super().__init__(
            receiver.handle if lane is None else self._handle_beside_lane,
            ServerBounds(
                max_connections=max_connections,
                header_timeout_s=settings.header_timeout_s,
                max_body_bytes=settings.max_body,
            ),
            log_name="gateway.web.http",
            keepalive_timeout=settings.keepalive_s,
            lingering_time=_LINGER_S,
            auto_decompress=False,  # Bitrix24 compresses nothing; a bomb would
        )
        self._receiver = receiver
        self._lane = lane
        self._bodies = receiver.bodies

    def __call__(self) -> RequestHandler:
        """A connection that is about to be made."""
        if self._lane is None:
            return super().__call__()
        return LaneConnection(self._lane, self, loop=self._loop, **self._options)

    def refused(self, reason: str) -> None:
        """Count a connection that is cut."""
        metrics.DELIVERIES.labels("refused", reason).inc()

    def refused_as_no_http(self, error: Exception) -> None:
        """Count and tell of a request that is none."""
        metrics.DELIVERIES.labels("refused", "bad_http").inc()
        log.warning("delivery refused", status=400, reason="bad_http", error=type(error).__name__)

    def owing(self, moment: float) -> Iterator[RequestHandler]:
        """Connections whose bodies are late."""
        return self._bodies.owed_before(moment)

    def is_at_work(self, handler: RequestHandler) -> bool:
        """Whether an answer is due on a connection, of aiohttp or of the lane."""
        is_in_lane = isinstance(handler, LaneConnection) and handler.is_answer_due
        return is_in_lane or super().is_at_work(handler)

    def request_made(self, request: web.BaseRequest, payload: StreamReader) -> None:
        """Let the lane's connection know of a request that goes past it."""
        if isinstance(request.protocol, LaneConnection):
            request.protocol.request_begins(
                content_length=request.content_length or 0, is_complete=payload.is_eof()
            )

    async def last_requests(self, within_s: float, *, idle_s: float = math.inf) -> None:
        """Answer what is on its way, none of it by the lane."""
        if self._lane is not None:
            self._lane.close()
        await super().last_requests(within_s, idle_s=idle_s)

    async def _handle_beside_lane(self, request: web.BaseRequest) -> web.Response:
        response = await self._receiver.handle(request)
        if isinstance(request.protocol, LaneConnection):
            request.protocol.request_ended(request, response)
        return response
