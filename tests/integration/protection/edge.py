"""A public port with nothing behind it but a sink, and clients of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from prometheus_client import REGISTRY

from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.publishing.batch import Stored
from gateway.settings import HttpSettings
from gateway.web.public_server import PublicServer
from tests.support.bare_receiver import bare_receiver

__all__ = ["BODY", "FORM", "HEAD", "PATH", "Serve", "counted", "post", "serving"]

BODY = (Path(__file__).parents[2] / "wire" / "comment-updated.app.form").read_bytes()
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATH = "/bitrix24/events"
HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM['Content-Type']}\r\n"
"""The beginning of a delivery, up to the headers about its body."""
Serve = Callable[..., Awaitable[int]]

_DIRECTORY = Directory(
    [
        Portal(
            member_id="010b6886ebc205e43ae65000ee00addb",
            domain="acme.bitrix24.com",
            digests=(digest_of("3c6c9248ec54af6bea1159b43ee0ab32"),),
        )
    ]
)


class Sink:
    """Stores nothing, and says that it has."""

    async def publish(self, _event: bytes, _partition: int) -> Stored:
        """Store an event."""
        return Stored.STREAM


@asynccontextmanager
async def serving(spool_dir: Path) -> AsyncIterator[Serve]:
    """A function that serves with these settings of [http], and returns the port."""
    async with AsyncExitStack() as stack:

        async def listen(**given: Any) -> int:
            settings = HttpSettings(**given)
            receiver = await stack.enter_async_context(
                bare_receiver(_DIRECTORY, Sink(), settings, spool_dir=spool_dir)
            )
            server = PublicServer(receiver, settings, max_connections=settings.max_connections)
            runner = web.ServerRunner(server)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
            await stack.enter_async_context(server.sweeping())
            port: int = runner.addresses[0][1]
            return port

        yield listen


async def post(
    port: int, body: bytes = BODY, forwarded_for: str | None = None, **options: Any
) -> tuple[int, str, set[str]]:
    """Status, body and names of headers of the answer to a delivery."""
    headers = FORM | ({"X-Forwarded-For": forwarded_for} if forwarded_for else {})
    url = f"http://127.0.0.1:{port}{PATH}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers=headers, **options) as response,
    ):
        return response.status, await response.text(), set(response.headers)


def counted(outcome: str, reason: str) -> float:
    """How many requests of this process were answered so."""
    labels = {"outcome": outcome, "reason": reason}
    return REGISTRY.get_sample_value("b24gw_deliveries_total", labels) or 0.0
