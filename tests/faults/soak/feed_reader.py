"""A reader of the feed's stream, who comes again, and goes on behind what is gone."""

import asyncio
from http import HTTPStatus
from typing import Final

import aiohttp
import msgspec

from tests.integration.feed.feed_client import FeedClient

__all__ = ["FeedReader"]

_AGAIN_S: Final = 0.2


class FeedReader:
    """`ids` are those of the events that came, in order; `gaps` the reasons why some may not have.

    After a failover that lost the event of its cursor the feed says `forgotten`, and from where on
    it has everything: events that came before come again from there.
    """

    def __init__(self, client: FeedClient) -> None:
        self.ids: list[str] = []
        self.gaps: list[str] = []
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
            except aiohttp.ClientResponseError as error:
                if error.status == HTTPStatus.GONE:
                    await self._resume()
                await asyncio.sleep(_AGAIN_S)
            except (aiohttp.ClientError, TimeoutError, AssertionError):
                # The feed is not there, or says that it cannot serve now.
                await asyncio.sleep(_AGAIN_S)

    async def _read(self) -> None:
        async with self._client.stream(last=self._place) as events:
            async for event in events:
                if event.event == "gone":
                    return
                if event.data:
                    self.ids.append(msgspec.json.decode(event.data)["id"])
                self._place = event.id

    async def _resume(self) -> None:
        try:
            status, answer = await self._client.get(after=self._place)
        except aiohttp.ClientError:
            return
        if status == HTTPStatus.GONE:
            self.gaps.append(answer["reason"])
            self._place = answer["cursor"]
