"""Starts a real server with the gateway's streams, for tests of a whole consumer."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_process import run
from consumers.runtime.entry import Event
from gateway.background import owned
from gateway.contract import EVENT_FIELD, DeadLetter, decode_event, encode_event
from gateway.redis_access import connections
from gateway.settings import ConsumersSettings, RedisSettings, Settings

__all__ = ["TemporaryGateway"]


class TemporaryGateway:
    """Publishes events as the gateway does, and runs consumers on them; one partition."""

    def __init__(self, url: str) -> None:
        self.settings = Settings(
            redis=RedisSettings(url=url), consumers=ConsumersSettings(lease_s=2.0)
        )
        self._streams = self.settings.redis.streams

    async def publish(self, stream: str, events: Sequence[Event]) -> None:
        """Append events to `events` or `comments`."""
        async with self._client() as redis:
            for event in events:
                await redis.xadd(self._streams.key(stream, 0), {"event": encode_event(event)})

    async def events(self, stream: str) -> list[Event]:
        """What is on `events` or `comments`, oldest first."""
        async with self._client() as redis:
            entries: Any = await redis.xrange(self._streams.key(stream, 0))
            return [decode_event(fields[EVENT_FIELD]) for _id, fields in entries]

    @asynccontextmanager
    async def running(self, consumer: Consumer) -> AsyncIterator[None]:
        """Run a consumer as `consumers run` does, until the block is left."""
        stop = asyncio.Event()
        task = owned(run(consumer, self.settings, stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def settled(self, consumer: Consumer, *, timeout_s: float = 10.0) -> None:
        """Wait until the consumer's group has acknowledged everything; raises TimeoutError."""
        key = self._streams.key(consumer.stream, 0)
        deadline = time.monotonic() + timeout_s
        async with self._client() as redis:
            while not await _is_settled(redis, key, consumer.group):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{consumer.group} has entries left after {timeout_s} s")
                await asyncio.sleep(0.02)

    async def dead_letters(self, group: str) -> list[DeadLetter]:
        """The dead letters of a group, oldest first."""
        async with self._client() as redis:
            letters = await redis.xrange(self._streams.dead(group, 0))
            return [DeadLetter.of(fields) for _id, fields in letters or ()]  # type: ignore[arg-type]

    def _client(self) -> Redis:
        return connections.control(self.settings.redis.url)


async def _is_settled(redis: Redis, key: str, group: str) -> bool:
    if not await redis.exists(key):
        return False
    last_id = (await redis.xinfo_stream(key))["last-generated-id"]
    return any(
        row["name"] == group.encode()
        and row["pending"] == 0
        and row["last-delivered-id"] == last_id
        for row in await redis.xinfo_groups(key)
    )
