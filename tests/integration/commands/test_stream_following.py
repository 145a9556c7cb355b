"""Whoever follows a stream may leave at any time, however much there is to read still."""

from contextlib import aclosing

from redis.asyncio import Redis

from gateway.ops.stream_following import follow
from tests.integration.runtime.running import comment_event, publish

STREAM = "b24:events:{0}"


async def test_leaving_ends_the_reading_at_once(redis: Redis, redis_url: str) -> None:
    first = comment_event(1)
    await publish(redis, STREAM, [first])
    for _ in range(30):
        await publish(redis, STREAM, [comment_event(2)] * 1000)

    following = follow(redis_url, [STREAM], after="0-0", told=print, containing=first.id)
    async with aclosing(following) as entries:
        entry = await anext(entries)

    assert entry.event == first
    reads = (await redis.info("commandstats"))["cmdstat_xread"]["calls"]
    assert reads < 30, "of the sixty that it takes to read all"
