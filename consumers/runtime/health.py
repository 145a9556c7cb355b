"""The listener for probes and Prometheus: is the process alive, is it connected, its numbers."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from aiohttp import web
from prometheus_client import REGISTRY, generate_latest

from consumers.runtime.metrics import Metrics
from consumers.runtime.ownership import Ownership
from gateway.errors import OperatorError

__all__ = ["Health", "listening"]

log = structlog.get_logger()


class Health:
    """What the probes are told; nothing here asks the server."""

    def __init__(self, ownership: Ownership, *, stuck_s: float) -> None:
        self._ownership = ownership
        self._stuck_s = stuck_s

    def is_alive(self) -> bool:
        """Whether the loops make progress: a restart might help where they do not.

        Redis being away is no reason for a restart, nor is a handler's failing.
        """
        oldest = time.monotonic() - self._stuck_s
        return self._ownership.beaten_at > oldest and all(
            partition.progressed_at > oldest for partition in self._ownership.partitions
        )

    def is_ready(self) -> bool:
        """Whether the process works or stands by: connected, and each partition it owns is read."""
        return self._ownership.is_connected and all(
            partition.is_connected for partition in self._ownership.partitions
        )

    def observe(self) -> None:
        """Bring the gauges of this process up to date."""
        for partition in self._ownership.partitions:
            partition.observe()


@asynccontextmanager
async def listening(host: str, port: int, health: Health, metrics: Metrics) -> AsyncIterator[None]:
    """Answer `/healthz`, `/readyz` and `/metrics`; raises OperatorError if the port is taken."""

    async def healthz(_request: web.Request) -> web.Response:
        return _answer(is_good=health.is_alive())

    async def readyz(_request: web.Request) -> web.Response:
        return _answer(is_good=health.is_ready())

    async def show(_request: web.Request) -> web.Response:
        health.observe()
        return web.Response(
            # The default registry has the service's own metrics, and those of its process.
            body=generate_latest(metrics.registry) + generate_latest(REGISTRY),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    app = web.Application()
    app.add_routes(
        [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", show)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise OperatorError(f"[consumers] host and port: {error.strerror}") from error
        log.info("health and metrics", url=f"http://{host}:{runner.addresses[0][1]}/metrics")
        yield
    finally:
        await runner.cleanup()


def _answer(*, is_good: bool) -> web.Response:
    return web.Response(status=200 if is_good else 503, text="ok" if is_good else "failing")
