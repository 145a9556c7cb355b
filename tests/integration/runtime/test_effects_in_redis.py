"""A server that has forgotten an acknowledgement delivers again, as one does after a failover."""

from collections import Counter

import pytest
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer
from tests.integration.runtime.running import comment_event, publish, running
from tests.support.eventually import eventually

_KEY = "b24:events:{0}"


@pytest.mark.parametrize(("has_effects_in_redis", "times"), [(False, 1), (True, 2)])
async def test_what_was_handled_is_handled_again_where_its_effect_is_gone_too(
    redis: Redis,
    redis_url: str,
    has_effects_in_redis: bool,  # noqa: FBT001 - pytest passes it by name
    times: int,
) -> None:
    seen: Counter[str] = Counter()
    app = Consumer(group="index", stream="events", has_effects_in_redis=has_effects_in_redis)

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        seen[event.id] += 1

    events = [comment_event(7) for _ in range(20)]
    last = comment_event(7)
    await publish(redis, _KEY, events)
    async with running(app, redis_url):
        await eventually(lambda: len(seen) == len(events))

        async def is_acknowledged() -> bool:
            pending: int = (await redis.xpending(_KEY, "index"))["pending"]
            return pending == 0

        await eventually(is_acknowledged)
        await redis.xgroup_setid(_KEY, "index", "0")
        await publish(redis, _KEY, [last])
        await eventually(lambda: last.id in seen)

    assert [seen[event.id] for event in events] == [times] * len(events)
