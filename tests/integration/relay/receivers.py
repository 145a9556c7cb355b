"""Receivers of pushed events on loopback, which behave as they are told and remember it all."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from aiohttp import web
from msgspec import Struct, json
from standardwebhooks import Webhook

__all__ = ["SECRET", "Pushed", "Receiver", "receiver"]

SECRET = "whsec_" + b64encode(b"a fake secret, of tests only..").decode()


class Pushed(Struct, frozen=True):
    """A delivery as it came; its event is read by the library that checks the signature."""

    id: str
    event: dict[str, Any]
    headers: dict[str, str]
    body: bytes

    @property
    def subject(self) -> str:
        return str(self.event["subject"])


def _event(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """The event in whichever mode; of the binary one without its data."""
    if "ce-id" not in headers:
        return dict(json.decode(body))
    return {name[3:]: unquote(text) for name, text in headers.items() if name[:3] == "ce-"}


def _accept(_pushed: Pushed) -> web.Response:
    return web.Response(status=204)


class Receiver:
    """What an endpoint's URL leads to.

    `answer` decides on each answer, and waits for `gate`. `taken` is what was answered with 2xx, in
    order; `asked` all that came in.
    """

    def __init__(self) -> None:
        self.asked: list[Pushed] = []
        self.taken: list[Pushed] = []
        self.answer: Callable[[Pushed], web.Response] = _accept
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def of(self, subject: str) -> list[str]:
        """The ids of the events of a subject, in the order in which they were taken."""
        return [one.id for one in self.taken if one.subject == subject]

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        Webhook(SECRET).verify(body, headers, json_parse=False)
        pushed = Pushed(headers["webhook-id"], _event(headers, body), headers, body)
        self.asked.append(pushed)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        answer = self.answer(pushed)
        if 200 <= answer.status < 300:
            self.taken.append(pushed)
        return answer

    async def start(self) -> None:
        """Listen, at the same port as before."""
        app = web.Application()
        app.router.add_post("/hook", self.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Listen no more; what is under way is cut off."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    one = Receiver()
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
