"""Answers operators' probes: whether the receiver is alive and can store, and its metrics."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from gateway.hosts import only_known_hosts

__all__ = ["AdminPages", "Exposition", "WhyNot", "admin_app"]

log: Any = structlog.get_logger(__name__)

WhyNot = Callable[[], Awaitable[str | None]]
"""Asks whether something is so: None if it is, else a short reason."""

Exposition = Callable[[Sequence[str]], Awaitable[bytes]]
"""Gives metrics in Prometheus' text format: those of these names, or all if there are none."""

AdminPages = Callable[[web.Application], None]
"""Adds pages to the application of the admin port."""


async def _alive() -> None:
    """A process that answers is alive."""


async def _of_this_process(names: Sequence[str]) -> bytes:
    return generate_latest(REGISTRY.restricted_registry(names) if names else REGISTRY)


def admin_app(
    why_not_ready: WhyNot,
    *,
    why_not_alive: WhyNot = _alive,
    exposition: Exposition = _of_this_process,
    hosts: Collection[str] = (),
    pages: AdminPages | None = None,
) -> web.Application:
    """The application of the admin port: `ready` when events can be accepted and stored.

    `hosts` are the names that it answers to beside addresses and `localhost`. A probe is answered
    200 or 503, whatever happens; `/metrics?name[]=…` is those metrics alone.
    """

    async def alive(_request: web.Request) -> web.Response:
        return await _answer(why_not_alive, "alive")

    async def ready(_request: web.Request) -> web.Response:
        return await _answer(why_not_ready, "ready")

    async def metrics(request: web.Request) -> web.Response:
        body = await exposition(request.query.getall("name[]", []))
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application(middlewares=[only_known_hosts(hosts)])
    app.router.add_get("/healthz", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)
    if pages is not None:
        pages(app)
    return app


async def _answer(why_not: WhyNot, good: str) -> web.Response:
    try:
        reason = await why_not()
    except Exception as error:
        log.exception("a probe cannot be answered", probe=good)
        reason = f"cannot be told: {type(error).__name__}"
    return web.Response(status=503 if reason else 200, text=reason or good)
