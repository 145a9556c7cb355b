"""A sandbox with a portal in which the application is installed, and a handler that listens."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.inbound.form import FormValue, parse_form
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal


class Told(NamedTuple):
    """An answer: its status, and the object in it."""

    status: int
    tree: Any


class Handler:
    """Somebody's handler of events: what came, and how it answers."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answer: Callable[[], Awaitable[web.Response]] | None = None
        app = web.Application()
        app.router.add_post("/events", self._receive)
        self.server = TestServer(app)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/events"))

    @property
    def events(self) -> list[dict[str, FormValue]]:
        return [parse_form(body) for body in self.bodies]

    @property
    def names(self) -> list[FormValue]:
        return [event["event"] for event in self.events]

    async def _receive(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/x-www-form-urlencoded"
        assert request.headers["User-Agent"] == "Bitrix24 Webhook Engine"
        self.bodies.append(await request.read())
        return await self.answer() if self.answer else web.Response(text="ok")


Call = Callable[..., Awaitable[Told]]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as one:
        yield one


@asynccontextmanager
async def a_handler() -> AsyncIterator[Handler]:
    one = Handler()
    async with one.server:
        yield one


@pytest.fixture
async def handler() -> AsyncIterator[Handler]:
    async with a_handler() as one:
        yield one


@pytest.fixture
async def portal(sandbox: Sandbox, handler: Handler) -> LivePortal:
    """A portal that has told the handler of the installation."""
    one = await sandbox.add_portal()
    await one.install(handler.url)
    await one.sent()
    return one


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def token(handler: Handler, portal: LivePortal) -> str:
    """The access token that came with the installation."""
    auth = handler.events[0]["auth"]
    assert isinstance(auth, dict)
    assert isinstance(auth["access_token"], str)
    return auth["access_token"]


@pytest.fixture
def call(session: aiohttp.ClientSession, portal: LivePortal, token: str) -> Call:
    """Calls a method of the portal as the application, in the name of the administrator.

    `at` is the endpoint of another portal.
    """

    async def call(
        method: str, parameters: dict[str, Any] | None = None, *, at: str = "", **more: Any
    ) -> Told:
        body = {"auth": token} | (parameters or {}) | more
        async with session.post(
            f"{at or portal.endpoint}{method}.json", json=body, allow_redirects=False
        ) as response:
            return Told(response.status, msgspec.json.decode(await response.read()))

    return call
