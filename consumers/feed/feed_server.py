"""Serves the feed's port, within the bounds on connections and time of the public one."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from consumers.feed import metrics
from gateway.settings import FeedSettings
from gateway.web.bounded_server import BoundedServer, ServerBounds
from gateway.web.protection.descriptors import room_for

__all__ = ["FeedServer"]

log: Any = structlog.get_logger(__name__)

_HEADER_TIMEOUT_S: Final = 10.0
_KEEPALIVE_S: Final = 75.0
_KERNEL_BYTES: Final = 131_072
"""Of what was sent and not taken yet, of which Linux allows twice as much: left to itself it holds
four megabytes for who does not read, and is short of memory for all connections with a few hundred.
https://www.kernel.org/doc/html/latest/networking/ip-sysctl.html (tcp_wmem, tcp_mem)
"""
_MOST_BODY: Final = 1024
"""Of a request that has no use for one."""


class FeedServer(BoundedServer):
    """Serves requests, and streams for as long as they last; what is cut is counted."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        settings: FeedSettings,
    ) -> None:
        self._send_timeout_ms = round(settings.send_timeout_s * 1000)
        super().__init__(
            handler,
            ServerBounds(
                max_connections=room_for(settings.max_connections, name="[feed] max_connections"),
                header_timeout_s=_HEADER_TIMEOUT_S,
                max_body_bytes=_MOST_BODY,
            ),
            log_name="consumers.feed.http",
            keepalive_timeout=_KEEPALIVE_S,
            handler_cancellation=True,  # who has gone does not wait, nor count, any longer
            auto_decompress=False,
        )

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Bound what the kernel holds for a client, and for how long."""
        super().connection_made(handler, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BYTES)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # Linux alone ends a connection whose client takes nothing of what was sent for so long:
            # one that is gone without a word, or that reads nothing of a stream on which little
            # comes. https://www.rfc-editor.org/rfc/rfc5482
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._send_timeout_ms)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Count a client whom the kernel has given up, since it took nothing any more."""
        if isinstance(exc, TimeoutError):
            metrics.CUT.labels("slow").inc()
        super().connection_lost(handler, exc)

    def refused(self, reason: str) -> None:
        """Count a connection that is cut."""
        metrics.CUT.labels(reason).inc()

    def refused_as_no_http(self, error: Exception) -> None:
        """Count a request that is none."""
        metrics.CUT.labels("bad_http").inc()
        log.warning("a request is no HTTP", error=type(error).__name__)
