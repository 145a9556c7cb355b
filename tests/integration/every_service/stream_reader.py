"""A client of the feed's stream, which comes again where it was when it was cut off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec

from gateway.background import Background
from tests.integration.feed.feed_client import FeedClient
from tests.support.eventually import eventually

__all__ = ["StreamReader", "reading"]

_AGAIN_S: Final = 0.2


class StreamReader:
    """`events` are what came, in order."""

    def __init__(self, client: FeedClient) -> None:
        self.events: list[dict[str, Any]] = []
        self._client = client
        self._place = ""

    @property
    def is_reading(self) -> bool:
        """Whether it has been told where it is: what comes from now on is for it."""
        return bool(self._place)

    async def run(self) -> None:
        """Read without an end."""
        while True:
            try:
                await self._read()
            except (aiohttp.ClientError, TimeoutError, AssertionError):
                # The feed is not there, or says that it cannot serve now.
                await asyncio.sleep(_AGAIN_S)

    async def _read(self) -> None:
        async with self._client.stream(last=self._place) as events:
            async for event in events:
                assert event.event != "gone", event
                if event.data:
                    self.events.append(msgspec.json.decode(event.data))
                self._place = event.id


@asynccontextmanager
async def reading(port: int) -> AsyncIterator[StreamReader]:
    """One that reads, from now on."""
    async with aiohttp.ClientSession() as session:
        reader = StreamReader(FeedClient(port, session))
        task = Background(reader.run, name="a reader of the feed")
        task.start()
        try:
            await eventually(lambda: reader.is_reading)
            yield reader
        finally:
            await task.close()
