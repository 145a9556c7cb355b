"""Real receivers of notifications on loopback, which remember what they were sent."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from msgspec import Struct

__all__ = ["HttpSink", "Received", "http_sink"]


class Received(Struct, frozen=True):
    """A request: its path, its JSON body and the key by which doubles are known."""

    path: str
    body: dict[str, Any]
    key: str


class HttpSink:
    """What json:// and bitrix24:// targets post to. `answer` decides on each request's answer."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], web.Response] = lambda _: web.json_response({"result": 1})
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        received = Received(
            request.path, await request.json(), request.headers.get("Idempotency-Key", "")
        )
        answer = self.answer(received)
        if answer.status < 300:
            self.received.append(received)
        return answer

    @property
    def url(self) -> str:
        """An Apprise URL."""
        return f"json://127.0.0.1:{self.port}/"


@asynccontextmanager
async def http_sink(port: int = 0) -> AsyncIterator[HttpSink]:
    """A sink that listens."""
    sink = HttpSink()
    app = web.Application()
    app.router.add_post("/{path:.*}", sink.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    sink.port = runner.addresses[0][1]
    try:
        yield sink
    finally:
        await runner.cleanup()
