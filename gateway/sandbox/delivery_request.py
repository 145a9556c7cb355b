"""Sends a body as Bitrix24's queue does, and reads the gateway's answer."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
from msgspec import Struct

from gateway.errors import GatewayError

__all__ = ["DeliverySender", "GatewayAnswer", "NoAnswer", "sending"]

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "Bitrix24 Webhook Engine",
}
_SHOWN_BODY: Final = 200
_TIMEOUT_S: Final = 30.0


class NoAnswer(GatewayError):
    """Nobody listens there, or no answer came in time; the request may have been accepted."""


class GatewayAnswer(Struct, frozen=True, kw_only=True):
    """What came back. `event_id` and `stored` are empty unless an event was stored."""

    status: int
    body: str
    event_id: str
    stored: str
    took_ms: float


class DeliverySender:
    """Sends to one URL, as one client; made by `sending`."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.url = url
        self._session = session

    async def send(self, body: bytes) -> GatewayAnswer:
        """Send one request, without following redirects; raises NoAnswer."""
        began = time.perf_counter()
        try:
            async with self._session.post(
                self.url, data=body, headers=_HEADERS, allow_redirects=False
            ) as response:
                text = await response.text(errors="replace")
        except (TimeoutError, aiohttp.ClientError) as error:
            raise NoAnswer(f"{self.url}: {str(error) or 'no answer in time'}") from error
        return GatewayAnswer(
            status=response.status,
            body=text.strip()[:_SHOWN_BODY],
            event_id=response.headers.get("X-Event-Id", ""),
            stored=response.headers.get("X-Event-Stored", ""),
            took_ms=round((time.perf_counter() - began) * 1000, 1),
        )


@asynccontextmanager
async def sending(url: str) -> AsyncIterator[DeliverySender]:
    """A sender to `url`, whose connections are closed at the end."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        yield DeliverySender(session, url)
