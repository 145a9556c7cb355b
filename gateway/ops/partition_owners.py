"""Asks who owns a group's partition, by the clock of the server that holds it."""

from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.redis_access import lua

__all__ = ["PartitionOwner", "now_ms_at", "owner_of"]

_CLOCK: Final = lua.source("gateway.ops", "clock.lua")


class PartitionOwner(Struct, frozen=True):
    """The process that holds the lease, None if that has ended; `epoch` is that of the last one."""

    name: str | None
    epoch: int | None


async def now_ms_at(redis: Redis, key: str) -> int:
    """The clock of the server that holds a key, in Unix milliseconds."""
    asked: Any = redis.eval_ro(_CLOCK, 1, key)
    seconds, microseconds = await asked
    return int(seconds) * 1000 + int(microseconds) // 1000


async def owner_of(
    redis: Redis, streams: Streams, group: str, partition: int, *, now_ms: int
) -> PartitionOwner:
    """Who owns a partition at a moment of its server's clock. Only reads."""
    asked: Any = redis.hmget(streams.lease(group, partition), "owner", "until", "epoch")
    owner, until, epoch = await asked
    is_owned = owner is not None and int(until or 0) > now_ms
    return PartitionOwner(owner.decode() if is_owned else None, int(epoch) if epoch else None)
