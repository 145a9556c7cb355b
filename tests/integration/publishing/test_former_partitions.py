"""What publishes while the number of partitions changes, and afterwards."""

from typing import Any

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway import settings
from gateway.contract import OtherEvent
from gateway.ops import partition_change as steps
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.publish_once import OncePublisher
from gateway.publishing.stream_writer import NumberedBatch, stream_writer
from tests.integration.runtime.running import comment_event


async def changed(redis: Redis, own: settings.RedisSettings, count: int) -> None:
    """Change the number, for all who have these settings."""
    await steps.announce(redis, own.streams, count)
    for partition in own.streams.in_force:
        await steps.seal(redis, own.streams, partition)
    await steps.turn(redis, own.streams, count)


async def test_a_sealed_partition_says_of_each_batch_whether_it_has_it(
    redis: Redis, redis_url: str
) -> None:
    own = settings.RedisSettings(url=redis_url)
    writer = stream_writer(own, settings.PublishSettings(), 0)
    has = NumberedBatch("b24:producer:{0}:a", 1, [b"1", b"2"])
    ids = await writer.write_all([has])
    await steps.seal(redis, own.streams, 0)

    again = await writer.write_all(
        [has, NumberedBatch("b24:producer:{0}:a", 2, [b"3"]), NumberedBatch("p{0}", 1, [b"4"])]
    )

    assert again == [*ids, None, None]
    assert await redis.xlen("b24:events:{0}") == 2
    with pytest.raises(StreamUnavailable, match="sealed"):
        await writer.write("b24:producer:{0}:a", 2, [b"3"])
    await writer.close()


async def test_an_event_that_was_recovered_before_the_change_is_not_published_again(
    redis: Redis, redis_url: str
) -> None:
    own = settings.RedisSettings(url=redis_url)
    publisher = OncePublisher(own, settings.PublishSettings())
    events = [replace(comment_event(number), recovered=True) for number in range(1, 9)]
    apart = OtherEvent(
        id="hour", source="urn:x", type="gateway.balance", subject="balance/1",
        time=events[0].time, receivedat=events[0].time,
    )  # fmt: skip
    assert await publisher.publish(events[:4]) == 4
    assert await publisher.publish_apart(apart) == 1
    await changed(redis, own, 3)

    assert await publisher.publish(events) == 4
    assert await publisher.publish_apart(apart) == 0
    await changed(redis, own, 2)
    assert await publisher.publish(events) == 0

    lengths: list[Any] = [await redis.xlen(key) for key in own.streams.keys("events")]
    assert lengths[0] == 5
    assert sum(lengths) == 9
    await publisher.close()


async def test_who_has_not_heard_of_the_change_publishes_nothing_on_a_former_partition(
    redis: Redis, redis_url: str
) -> None:
    late = OncePublisher(settings.RedisSettings(url=redis_url), settings.PublishSettings())
    await changed(redis, settings.RedisSettings(url=redis_url), 2)

    with pytest.raises(StreamUnavailable, match="sealed"):
        await late.publish([comment_event(1)])

    assert not await redis.exists("b24:events:{0}")
    await late.close()
