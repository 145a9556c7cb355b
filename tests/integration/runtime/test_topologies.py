"""A consumer on a cluster of two nodes, and on a primary that a Sentinel names."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Reject
from consumers.runtime.consumer_set import ConsumerSet
from gateway.contract import EventSubject, Streams, encode_event
from gateway.errors import OperatorError
from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.redis_access import connections
from gateway.redis_access.redis_url import RedisAddress
from tests.integration.runtime.running import comment_event, running
from tests.support.eventually import eventually
from tests.support.redis_sentinel import sentinel_of

STREAMS = Streams(partitions=4)


async def publish(redis: Redis, count: int) -> list[CommentEvent]:
    events = [comment_event(number % 40 + 1) for number in range(count)]
    for event in events:
        partition = STREAMS.partition_of(
            event.data.member_id, EventSubject.of_comment(event.data.comment_id)
        )
        await redis.xadd(STREAMS.key("events", partition), {"event": encode_event(event)})
    return events


async def test_several_groups_of_a_process_read_a_cluster_together(cluster_url: str) -> None:
    seen = {name: Counter[str]() for name in ("one", "two", "three")}

    def consumer(name: str) -> Consumer:
        app = Consumer(group=name, stream="events")

        @app.on("*")
        async def handle(event: CommentEvent) -> None:
            seen[name][event.id] += 1

        return app

    some = ConsumerSet(name="joint", consumers=tuple(map(consumer, seen)))
    async with connections.control(cluster_url) as redis, running(some, cluster_url, partitions=4):
        for count in (100, 200):
            await publish(redis, 100)
            await eventually(partial(all_have, seen, count))

    assert {times for counter in seen.values() for times in counter.values()} == {1}


def all_have(seen: dict[str, Counter[str]], count: int) -> bool:
    return all(len(counter) == count for counter in seen.values())


async def test_a_cluster_is_read_node_by_node(cluster_url: str) -> None:
    seen: Counter[str] = Counter()
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id == 7:
            raise Reject("never")
        seen[event.id] += 1

    async with connections.control(cluster_url) as redis:
        events = await publish(redis, 200)
        async with running(app, cluster_url, partitions=4):
            wanted = {event.id for event in events if event.data.comment_id != 7}
            await eventually(lambda: seen.keys() == wanted)
            for number in range(4):

                async def nothing_pending(key: str = STREAMS.key("events", number)) -> bool:
                    pending: int = (await redis.xpending(key, "index"))["pending"]
                    return pending == 0

                await eventually(nothing_pending)
        dead = [await redis.xlen(STREAMS.dead("index", number)) for number in range(4)]

    assert set(seen.values()) == {1}
    assert sum(dead) == 5


@pytest.fixture
async def sentinel_url(
    server_binary: ServerBinary, tmp_path: Path
) -> AsyncIterator[tuple[str, RedisServer]]:
    """A primary with a replica, and one Sentinel; the primary comes too, to be killed."""
    primary = RedisServer(server_binary, tmp_path / "primary", append_only=True)
    primary.start()
    replica = RedisServer(
        server_binary,
        tmp_path / "replica",
        options=("--replicaof", f"127.0.0.1 {primary.port}", "--repl-diskless-sync-delay", "0"),
    )
    replica.start()
    options = ("sentinel down-after-milliseconds mine 500", "sentinel failover-timeout mine 5000")
    async with sentinel_of(server_binary, tmp_path, primary, options=options) as port:
        async with connections.control(f"redis://127.0.0.1:{port}") as client:
            sentinel: Any = client

            async def knows_the_replica() -> bool:
                return len(await sentinel.execute_command("SENTINEL", "REPLICAS", "mine")) == 1

            await eventually(knows_the_replica)
        yield f"redis+sentinel://127.0.0.1:{port}/mine", primary
    primary.stop()
    replica.stop()


async def test_a_failover_by_sentinel_loses_nothing_that_was_replicated(
    sentinel_url: tuple[str, RedisServer],
) -> None:
    url, primary = sentinel_url
    seen: Counter[str] = Counter()
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        await asyncio.sleep(0.005)
        seen[event.id] += 1

    async with connections.control(url) as redis:
        events = await publish(redis, 200)
        assert await redis.wait(1, 5000) == 1
        async with running(app, url, partitions=4):
            await eventually(lambda: len(seen) > 20)
            primary.kill()

            async def is_back() -> bool:
                try:
                    events.extend(await publish(redis, 40))
                except (*connections.AWAY, Exception):  # noqa: BLE001 - some are stored, unsaid
                    return False
                return True

            await eventually(is_back, timeout_s=30)
            await eventually(lambda: seen.keys() >= {event.id for event in events}, timeout_s=30)


def test_urls_name_sentinels_and_nodes() -> None:
    sentinel = RedisAddress.of("rediss+sentinel://user:p%40ss@one:26380,two/mine/3")
    cluster = RedisAddress.of("redis+cluster://one:7000,two:7001")

    assert sentinel.nodes == (("one", 26380), ("two", 26379))
    assert (sentinel.service, sentinel.db, sentinel.tls) == ("mine", 3, {})
    assert (sentinel.username, sentinel.password) == ("user", "p@ss")
    assert cluster.nodes == (("one", 7000), ("two", 7001))


@pytest.mark.parametrize("url", ["redis+sentinel://u:FAKE-SECRET@one:1", "redis+cluster://one:x"])
def test_a_url_that_cannot_be_used_is_told_without_its_password(url: str) -> None:
    with pytest.raises(OperatorError) as raised:
        RedisAddress.of(url)

    assert "FAKE-SECRET" not in str(raised.value)
