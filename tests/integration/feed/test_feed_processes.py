"""The feed as a process: killed, stopped, frozen, without Redis, on Sentinel and on a cluster."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec import json
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumers.testing import comment_event
from gateway.ending import end
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.feed.feed_client import (
    FeedClient,
    feed_process,
    following,
    ids_on,
    is_answering,
    open_feed,
    put,
)
from tests.integration.runtime.test_topologies import sentinel_url
from tests.support.eventually import eventually
from tests.support.redis_users import denied, rights_of
from tests.support.starting import finished

__all__ = ["sentinel_url"]

pytestmark = pytest.mark.timeout(300)  # processes that start


@asynccontextmanager
async def reading(port: int) -> AsyncIterator[FeedClient]:
    async with aiohttp.ClientSession() as session:
        yield FeedClient(port, session)


class PersistentReader:
    """Comes again as a browser does, with the id of the event that it has seen last."""

    def __init__(self, client: FeedClient, last: str) -> None:
        self._client = client
        self._last = last
        self.seen: list[int] = []
        self.began = 0

    async def run(self) -> None:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._client.stream(last=self._last) as events:
                    self.began += 1
                    async for event in events:
                        assert event.event == "message"
                        self._last = event.id
                        if event.data:
                            self.seen.append(event.number)
            await asyncio.sleep(0.05)


@asynccontextmanager
async def persistent(client: FeedClient) -> AsyncIterator[PersistentReader]:
    """One who follows from now on, and has begun to."""
    reader = PersistentReader(client, (await client.page())["cursor"])
    task = asyncio.create_task(reader.run())
    try:
        await eventually(lambda: reader.began == 1)
        yield reader
    finally:
        await end(task)


async def test_a_reader_misses_nothing_when_the_process_is_killed_and_when_it_is_stopped(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    with feed_process(redis_url, tmp_path) as (process, port):
        async with reading(port) as client:
            process.launch()
            await eventually(lambda: is_answering(client))
            async with persistent(client) as reader:
                await put(redis, [comment_event(number) for number in range(1, 101)])
                await eventually(lambda: len(reader.seen) >= 50)
                process.kill()
                await put(redis, [comment_event(number) for number in range(101, 201)])
                process.launch()
                await eventually(lambda: len(reader.seen) == 200)
                assert await process.stop() == 0
                await put(redis, [comment_event(number) for number in range(201, 301)])
                process.launch()
                await eventually(lambda: len(reader.seen) == 300)

                assert reader.seen == list(range(1, 301))
                assert "Traceback" not in process.log


async def test_a_stream_outlives_redis_and_pages_say_that_it_is_away(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with (
        connections.control(own_server.url) as redis,
        open_feed(own_server.url) as client,
        client.stream() as events,
    ):
        await put(redis, [comment_event(1)])
        assert (await following(events, 1))[0].number == 1
        own_server.kill()

        async def is_told() -> bool:
            async with client.session.get(client.url + "/events", headers=client.headers) as answer:
                return answer.status == 503 and "Retry-After" in answer.headers

        await eventually(is_told)
        own_server.start()
        await eventually(lambda: is_answering(client))
        await put(redis, [comment_event(number) for number in range(2, 50)])

        assert [one.number for one in await following(events, 48)] == list(range(2, 50))


async def test_probes_and_status_tell_how_it_is(own_server: RedisServer, tmp_path: Path) -> None:
    with feed_process(own_server.url, tmp_path) as (process, port):
        process.launch()
        async with reading(port) as client:
            await eventually(lambda: is_answering(client))
            (told,) = process.lines("health and metrics")
            probes = str(told["url"]).removesuffix("/metrics")

            async def status_of(path: str) -> int:
                async with client.session.get(probes + path) as answer:
                    return answer.status

            assert await status_of("/readyz") == 200
            await eventually(lambda: is_listed(own_server.url))
            own_server.kill()
            await eventually(lambda: _is(status_of, "/readyz", 503))
            assert await status_of("/healthz") == 200
            own_server.start()
            await eventually(lambda: _is(status_of, "/readyz", 200))
            async with client.session.get(probes + "/metrics") as answer:
                assert "b24_feed_requests_total" in await answer.text()


async def is_listed(url: str) -> bool:
    """Whether `gateway status` has a feed that is ready."""
    shown = await finished(
        (sys.executable, "-m", "gateway", "status", "--json"),
        environment=os.environ | {"GATEWAY_REDIS_URL": url},
    )
    (listed,) = json.decode(shown.stdout)["processes"]
    assert listed["report"]["role"] == "feed"
    return bool(listed["report"]["is_ready"])


async def _is(status_of: Callable[[str], Awaitable[int]], path: str, wanted: int) -> bool:
    return await status_of(path) == wanted


async def test_a_process_that_was_frozen_tells_of_what_was_trimmed_meanwhile(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    with feed_process(redis_url, tmp_path) as (process, port):
        process.launch()
        async with reading(port) as client:
            await eventually(lambda: is_answering(client))
            async with client.stream() as events:
                await put(redis, [comment_event(1)])
                await following(events, 1)
                process.freeze()
                await eventually(lambda: process.is_frozen)
                before = asyncio.get_running_loop().time()
                await put(redis, [comment_event(number) for number in range(2, 50)])
                await redis.xtrim("b24:comments:{0}", maxlen=10, approximate=False)
                # For longer than a read of the stream takes at most.
                await eventually(lambda: asyncio.get_running_loop().time() - before > 4.5)
                process.thaw()
                (told,) = await following(events, 1)

                assert told.event == "gone"


async def test_a_cluster_is_followed_node_by_node(cluster_url: str) -> None:
    async with connections.control(cluster_url) as redis:
        await put(redis, [comment_event(number) for number in range(1, 101)], partitions=4)
        async with (
            open_feed(cluster_url, partitions=4, buffer_bytes=65_536) as client,
            client.stream() as events,
        ):
            stored = await ids_on(redis, partitions=4)
            # What is not in memory is read node by node, too.
            assert sorted(await client.ids("oldest", limit="7")) == sorted(stored)
            await put(redis, [comment_event(number) for number in range(101, 201)], partitions=4)
            new = list((Counter(await ids_on(redis, partitions=4)) - Counter(stored)).elements())
            found = await following(events, len(new))

    assert len(stored) >= 100
    assert sorted(event.event_id for event in found) == sorted(new)


async def test_a_failover_by_sentinel_loses_nothing_that_was_replicated(
    sentinel_url: tuple[str, RedisServer],
) -> None:
    url, primary = sentinel_url
    async with (
        connections.control(url) as redis,
        open_feed(url) as client,
        client.stream() as events,
    ):
        await put(redis, [comment_event(number) for number in range(1, 51)])
        assert await redis.wait(1, 5000) == 1
        await following(events, 50)
        primary.kill()

        async def is_back() -> bool:
            try:
                await put(redis, [comment_event(51)])
            except (*connections.AWAY, RedisError):
                return False
            return True

        await eventually(is_back, timeout_s=60)
        assert [one.number for one in await following(events, 1)] == [51]
        await eventually(lambda: is_answering(client))
        assert await client.all("oldest") == [*range(1, 51), 51]


async def test_the_documented_rights_of_the_feed_suffice(
    redis: Redis, users: Any, limited_url: str, tmp_path: Path
) -> None:
    await users(*rights_of("feed"))
    await put(redis, [comment_event(number) for number in range(1, 501)])
    with feed_process(limited_url, tmp_path, buffer_bytes="65536") as (process, port):
        process.launch()
        async with reading(port) as client:
            await eventually(lambda: is_answering(client))
            read = (await client.page(after="oldest", limit="10"))["cursor"]
            assert await client.all(read) == list(range(11, 501))
            await redis.xtrim("b24:comments:{0}", maxlen=100, approximate=False)
            assert (await client.get(after=read))[0] == 410
            await redis.delete("b24:comments:{0}")
            await put(redis, [comment_event(1)])
            await eventually(lambda: _is_gone(client, read, "forgotten"))
            await eventually(lambda: redis.hlen("b24:processes"))

    assert await denied(redis) == []


async def _is_gone(client: FeedClient, cursor: str, reason: str) -> bool:
    status, answer = await client.get(after=cursor)
    return status == 410 and answer["reason"] == reason


async def test_without_tokens_it_serves_nobody_and_says_so(redis_url: str, tmp_path: Path) -> None:
    with feed_process(redis_url, tmp_path, tokens="[]") as (process, port):
        process.launch()
        async with reading(port) as client:
            await eventually(lambda: is_answering(client))

            assert (await client.get())[0] == 401
            assert "`consumers feed token` makes what [[feed.tokens]] needs" in process.log


async def test_a_second_signal_ends_it_at_once(redis_url: str, tmp_path: Path) -> None:
    with feed_process(redis_url, tmp_path) as (process, port):
        process.launch()
        async with reading(port) as client:
            await eventually(lambda: is_answering(client))
            process.send(signal.SIGINT)
            assert await process.ended() == 0
