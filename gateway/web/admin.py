"""The admin listener: whether the receiver is alive and can store, and its metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["WhyNot", "admin_app"]

WhyNot = Callable[[], Awaitable[str | None]]
"""Asks whether something is so: None if it is, else a short reason."""


async def _alive() -> None:
    """A process that answers is alive."""


def admin_app(
    why_not_ready: WhyNot,
    *,
    why_not_alive: WhyNot = _alive,
    exposition: Callable[[], bytes] = generate_latest,
) -> web.Application:
    """The application of the admin port: `ready` when events can be accepted and stored.

    `exposition` is the metrics in Prometheus' text format.
    """

    async def alive(_request: web.Request) -> web.Response:
        reason = await why_not_alive()
        return web.Response(status=503 if reason else 200, text=reason or "alive")

    async def ready(_request: web.Request) -> web.Response:
        reason = await why_not_ready()
        return web.Response(status=503 if reason else 200, text=reason or "ready")

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)
    return app
