"""The admin listener: whether the receiver is alive and can store, and its metrics."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

__all__ = ["admin_app"]


def admin_app(why_not_ready: Callable[[], Awaitable[str | None]]) -> web.Application:
    """The application of the admin port.

    `why_not_ready` returns None when events can be accepted and stored, else a short reason.
    """

    async def alive(_request: web.Request) -> web.Response:
        return web.Response(text="alive")

    async def ready(_request: web.Request) -> web.Response:
        reason = await why_not_ready()
        return web.Response(status=503 if reason else 200, text=reason or "ready")

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)
    return app
