"""Real receivers of notifications on loopback, which remember what they were sent."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller
from msgspec import Struct

__all__ = ["HttpSink", "MailSink", "Received", "http_sink", "mail_sink"]


class Received(Struct, frozen=True):
    """A request: its path, its JSON body and the key by which doubles are known."""

    path: str
    body: dict[str, Any]
    key: str


def _accept(_received: Received) -> web.Response:
    return web.json_response({"result": 1})


class HttpSink:
    """What json:// targets post to.

    `answer` decides on each request's answer, `delay_s` is how long it takes. `received` is what
    was accepted, `asked` counts all requests.
    """

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.asked = 0
        self.answer: Callable[[Received], web.Response] = _accept
        self.delay_s = 0.0
        self.port = 0

    async def handle(self, request: web.Request) -> web.Response:
        received = Received(
            request.path, await request.json(), request.headers.get("Idempotency-Key", "")
        )
        self.asked += 1
        answer = self.answer(received)
        if answer.status < 300:
            self.received.append(received)
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        return answer

    @property
    def url(self) -> str:
        """An Apprise URL."""
        return f"json://127.0.0.1:{self.port}/"

    @property
    def keys(self) -> list[str]:
        return [received.key for received in self.received]

    @property
    def bodies(self) -> list[str]:
        return [received.body["message"] for received in self.received]

    @property
    def doubles(self) -> int:
        """How many times something came that had come before."""
        return sum(times - 1 for times in Counter(self.keys).values())


@asynccontextmanager
async def http_sink(port: int = 0, *, host: str = "127.0.0.1") -> AsyncIterator[HttpSink]:
    """A sink that listens."""
    sink = HttpSink()
    app = web.Application()
    app.router.add_post("/{path:.*}", sink.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    sink.port = runner.addresses[0][1]
    try:
        yield sink
    finally:
        await runner.cleanup()


class MailSink:
    """An SMTP server's handler, which keeps the mails."""

    def __init__(self) -> None:
        self.received: list[Message] = []
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.received.append(message_from_bytes(envelope.content, policy=default))
        return "250 OK"


@contextmanager
def mail_sink(port: int) -> Iterator[MailSink]:
    """An SMTP server that listens, in a thread of its own."""
    sink = MailSink()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
