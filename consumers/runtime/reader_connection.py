"""Holds the connection on which a partition is read, and ends a read that blocks."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis

from consumers.runtime.pending_entries import OWNER
from consumers.runtime.stream_pages import Pages, pages_of
from gateway.redis_access.connections import AWAY, AWAY_OR_REFUSING

__all__ = ["ReaderConnection"]


class ReaderConnection:
    """One connection at a time, to the node that has the stream `key`."""

    def __init__(self, connect: Callable[[str], Awaitable[Redis]], key: str) -> None:
        self._connect = connect
        self._key = key
        self._id = 0
        self.client: Redis | None = None

    async def open(self) -> Redis:
        """Connect; raises what the server's being away raises. The former one has to be closed."""
        self.client = client = await self._connect(self._key)
        client.set_response_callback("XREADGROUP", pages_of)
        self._id = await client.client_id()
        return client

    async def read(
        self, group: str, keys: Sequence[str], *, count: int, block_s: float | None
    ) -> Pages:
        """What is new to a group, for which the server waits for `block_s`; None: it does not."""
        assert self.client is not None  # noqa: S101 - it is open
        asked: Any = self.client.xreadgroup(
            group,
            OWNER,
            dict.fromkeys(keys, ">"),
            count=count,
            block=None if block_s is None else int(block_s * 1000),
        )
        pages: Pages = await asked
        return pages

    async def end_block(self) -> None:
        """Let a read that blocks return; where the user may not do that, it ends by itself."""
        client = self.client
        if client is not None and self._id:
            with suppress(*AWAY_OR_REFUSING):
                await client.client_unblock(self._id)
            if client is not self.client:
                # Closed while this was on its way, which opened a connection again.
                await client.aclose()

    async def close(self) -> None:
        """Close it, if there is one."""
        client, self.client, self._id = self.client, None, 0
        if client is not None:
            with suppress(*AWAY):
                await client.aclose()
