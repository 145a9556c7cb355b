"""A consumer process that is told to stop while something holds it up."""

from pathlib import Path

from redis.asyncio import Redis

from gateway.local.redis_server import RedisServer
from tests.integration.runtime.running import comment_event, publish
from tests.support.consumer_process import service
from tests.support.eventually import eventually

KEY = "b24:events:{0}"
GROUP = "search-index"
TOO_LONG = "the stop takes too long, and the process ends where it stands"


async def test_a_thread_that_never_returns_does_not_hold_up_the_end(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis, KEY, [comment_event(1), comment_event(2)])

    with service(
        redis_url, tmp_path, SERVICE_HANGS_AT="1", GATEWAY_CONSUMERS_GRACE_S="0.5"
    ) as process:
        await eventually(lambda: len(process.effects()) == 1)

        assert await process.stop() == 1

    assert process.lines(TOO_LONG)
    assert (await redis.xpending(KEY, GROUP))["pending"] == 1


async def test_a_redis_that_does_not_answer_does_not_hold_up_an_orderly_end(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with Redis.from_url(own_server.url) as redis:
        await publish(redis, KEY, [comment_event(1)])

    with service(own_server.url, tmp_path, GATEWAY_CONSUMERS_GRACE_S="8") as process:
        await eventually(lambda: len(process.effects()) == 1)
        own_server.pause()

        assert await process.stop() == 0

    own_server.resume()
    assert not process.lines(TOO_LONG)
