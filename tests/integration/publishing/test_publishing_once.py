"""Events that were found afterwards: each is on its stream once, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway import settings
from gateway.contract import CommentEvent, EventSubject, decode_event
from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.publish_once import OncePublisher
from tests.integration.runtime.running import comment_event
from tests.support.replicas import replica_of, until_in_step

Opened = Callable[..., OncePublisher]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    async with AsyncExitStack() as stack:

        def open_publisher(url: str, partitions: int = 1, **publish: Any) -> OncePublisher:
            publisher = OncePublisher(
                settings.RedisSettings(url=url, partitions=partitions),
                settings.PublishSettings(**publish),
            )
            stack.push_async_callback(publisher.close)
            return publisher

        yield open_publisher


def recovered(count: int) -> list[CommentEvent]:
    return [replace(comment_event(number + 1), recovered=True) for number in range(count)]


async def comments_on(redis: Redis, partitions: int = 1) -> list[list[int]]:
    found = []
    for key in settings.RedisSettings(partitions=partitions).streams.keys("events"):
        entries: Any = await redis.xrange(key)
        events = [decode_event(fields[b"event"]) for _, fields in entries]
        found.append([event.data.comment_id for event in events if isinstance(event, CommentEvent)])
    return found


async def test_a_repetition_adds_only_what_is_new(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    events = recovered(5)
    publisher = opened(redis_url)

    assert await publisher.publish(events[:3]) == 3
    assert await opened(redis_url).publish([events[3], events[1], events[4]]) == 2
    assert await publisher.publish(events) == 0

    assert await comments_on(redis) == [[1, 2, 3, 4, 5]]


async def test_it_goes_to_the_partition_of_its_comment_with_the_mark_that_it_was_recovered(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    events = recovered(600)

    assert await opened(redis_url, partitions=4).publish(events) == 600

    streams = settings.RedisSettings(partitions=4).streams
    assert await comments_on(redis, 4) == [
        [
            n
            for n in range(1, 601)
            if streams.partition_of("portal", EventSubject.of_comment(n)) == partition
        ]
        for partition in range(4)
    ]
    ((_, fields), *_) = cast("Any", await redis.xrange("b24:events:{0}"))
    assert b'"recovered":true' in fields[b"event"]


async def test_lost_replies_double_nothing(own_server: RedisServer, opened: Opened) -> None:
    events = recovered(300)
    async with LossyProxy(on_loopback(own_server.port)) as proxy:
        publisher = opened(proxy.url)
        await publisher.publish(events[:1])
        for _ in range(4):
            proxy.lose_replies(1)
            with pytest.raises(StreamUnavailable):
                await publisher.publish(events)
        await publisher.publish(events)

    client = Redis.from_url(own_server.url)
    assert await comments_on(client) == [list(range(1, 301))]
    await client.aclose()


async def test_several_at_once_publish_each_event_once(
    redis: Redis, redis_url: str, opened: Opened
) -> None:
    events = recovered(100)
    publishers = [opened(redis_url) for _ in range(2)]

    counts = await asyncio.gather(*(publishers[n % 2].publish(events) for n in range(8)))

    assert sum(counts) == 100
    assert await comments_on(redis) == [list(range(1, 101))]


async def test_a_repetition_is_confirmed_only_when_the_replica_has_the_events(
    own_server: RedisServer, server_binary: ServerBinary, opened: Opened, tmp_path: Any
) -> None:
    replica = replica_of(own_server, server_binary, tmp_path / "replica")
    await until_in_step(own_server)
    events = recovered(3)
    replica.pause()

    for _ in range(2):
        with pytest.raises(StreamUnavailable):  # not durable, or too late to tell
            await opened(own_server.url, ack="replicated:1", deadline_s=0.5).publish(events)
    replica.resume()
    again = opened(own_server.url, ack="replicated:1", deadline_s=5.0)

    assert await again.publish(events) == 0
    copy = Redis.from_url(replica.url)
    assert await comments_on(copy) == [[1, 2, 3]]
    await copy.aclose()
    replica.stop()
