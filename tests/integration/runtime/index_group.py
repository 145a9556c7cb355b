"""The group `index` on one partition, which most tests of the runtime use."""

from typing import Any

from redis.asyncio import Redis

from consumers import Consumer
from gateway.contract import DeadLetter

KEY = "b24:events:{0}"
DEAD = "b24:dead:index:{0}"


def consumer(**options: Any) -> Consumer:
    return Consumer(group="index", stream="events", **options)


async def letters(redis: Redis, *, partition: int = 0) -> list[DeadLetter]:
    dead = await redis.xrange(f"b24:dead:index:{{{partition}}}")
    return [DeadLetter.of(fields) for _id, fields in dead]  # type: ignore[union-attr,arg-type]
