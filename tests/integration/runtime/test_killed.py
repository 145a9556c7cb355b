"""A consumer process that ends in the middle of its work, in every way a process can end."""

from pathlib import Path

from redis.asyncio import Redis

from tests.integration.runtime.running import comment_event, publish
from tests.support.consumer_process import service
from tests.support.eventually import eventually

KEY = "b24:events:{0}"


async def test_a_killed_consumer_misses_nothing_when_it_starts_again(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    events = [comment_event(number % 50 + 1) for number in range(500)]
    await publish(redis, KEY, events)

    with service(redis_url, tmp_path, SERVICE_TAKES_S="0.02") as first:
        await eventually(lambda: len(first.effects()) > 100)
        first.kill()
        assert len(first.effects()) < 500
    with service(redis_url, tmp_path) as second:
        await eventually(
            lambda: {effect[0] for effect in second.effects()} == {e.id for e in events}
        )

        async def nothing_pending() -> bool:
            return (await redis.xpending(KEY, "search-index"))["pending"] == 0  # type: ignore[no-any-return]

        await eventually(nothing_pending)


async def test_sigterm_finishes_and_acknowledges_what_is_in_hand(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await publish(redis, KEY, [comment_event(number + 1) for number in range(200)])

    with service(redis_url, tmp_path, SERVICE_TAKES_S="0.005") as process:
        await eventually(lambda: len(process.effects()) > 5)
        assert await process.stop() == 0
        pending = (await redis.xpending(KEY, "search-index"))["pending"]
        (group,) = await redis.xinfo_groups(KEY)

        assert len(process.effects()) == int(group["entries-read"]) - pending
