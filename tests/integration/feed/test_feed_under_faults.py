"""Readers by stream and by page, while Redis and the feed itself die and come back."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumers.testing import comment_event
from gateway.ending import end
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.feed.feed_client import FeedClient, feed_process, ids_on, is_answering, put
from tests.support.eventually import eventually

PARTITIONS = 2
SUBJECTS = 13

pytestmark = pytest.mark.timeout(300)  # processes that start


class Reader:
    """Keeps a cursor and what it has read: (subject, event id) in order."""

    def __init__(self, client: FeedClient, cursor: str) -> None:
        self.client = client
        self.cursor = cursor
        self.seen: list[tuple[str, str]] = []

    async def by_stream(self) -> None:
        """Follow one stream to its end."""
        async with self.client.stream(last=self.cursor) as events:
            async for one in events:
                assert one.event == "message"
                if one.data:
                    self.seen.append((str(one.number), one.event_id))
                self.cursor = one.id

    async def by_page(self) -> None:
        """Read a page, or wait for one."""
        status, page = await self.client.get(after=self.cursor, wait="5", limit="20")
        assert status in {200, 503}, page
        if status == 200:
            for one in page["events"]:
                self.seen.append((one["subject"].partition("/")[2], one["id"]))
            self.cursor = page["cursor"]

    async def again_and_again(self, read: Callable[[], Awaitable[None]]) -> None:
        """As a client that comes again."""
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                await read()
            await asyncio.sleep(0.05)


async def publish_for_ever(redis: Redis) -> None:
    """Some events a subject; what Redis does not take is none."""
    number = 0
    while True:
        with suppress(*connections.AWAY, RedisError):
            await put(redis, [comment_event(number % SUBJECTS + 1)], partitions=PARTITIONS)
        number += 1
        await asyncio.sleep(0.01)


async def test_every_reader_gets_every_event_once_and_in_order(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connections.control(own_server.url))
        process, port = stack.enter_context(
            feed_process(own_server.url, tmp_path, partitions=PARTITIONS, buffer_bytes="65536")
        )
        process.launch()
        session = await stack.enter_async_context(aiohttp.ClientSession())
        client = FeedClient(port, session)
        await eventually(lambda: is_answering(client))
        begin = (await client.page(after="oldest"))["cursor"]
        readers = [Reader(client, begin) for _ in range(6)]
        tasks = [
            asyncio.create_task(one.again_and_again(one.by_stream if number % 2 else one.by_page))
            for number, one in enumerate(readers)
        ]
        publishing = asyncio.create_task(publish_for_ever(redis))

        async def progress() -> None:
            """Wait until everybody has got further."""
            before = [len(one.seen) for one in readers]
            await eventually(
                lambda: all(
                    len(one.seen) > had + 20 for one, had in zip(readers, before, strict=True)
                )
            )

        for hurt in (process.kill, own_server.kill, process.freeze, own_server.kill, process.kill):
            await progress()
            hurt()
            if hurt == own_server.kill:
                own_server.start()
            elif hurt == process.freeze:
                process.thaw()
            else:
                process.launch()
        await progress()
        await end(publishing)
        stored = await ids_on(redis, partitions=PARTITIONS)
        await eventually(lambda: all(len(one.seen) >= len(stored) for one in readers))
        assert not [task for task in tasks if task.done()]
        await end(*tasks)

    order = {event_id: number for number, event_id in enumerate(stored)}
    for one in readers:
        assert sorted(event_id for _, event_id in one.seen) == sorted(stored)
        places: dict[str, list[int]] = defaultdict(list)
        for subject, event_id in one.seen:
            places[subject].append(order[event_id])
        assert all(found == sorted(found) for found in places.values())
    assert "Traceback" not in process.log
