"""Counts the entries between two ids of a stream: on the server, in small steps.

For where the server has no number of its own, or a wrong one: a group's `lag` is missing once
entries ahead of it were deleted, and after the group was made at an id in the middle
(https://redis.io/docs/latest/commands/xinfo-groups/), and Redis before 7.4 forgets what a group has
read when it starts.
"""

from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis

from gateway.redis_access import lua

__all__ = ["count_entries", "counts_reads"]

_STEP: Final = 500
"""Entries of one step; they keep the server for about a millisecond and do not leave it."""

_COUNT: Final = lua.source("gateway.redis_access", "count_entries.lua")


def counts_reads(server: Mapping[str, Any]) -> bool:
    """Whether a server, by its `INFO server`, still knows after a restart what groups have read.

    Before Redis 7.4 the number is neither in the append-only file nor replicated, so that it is
    too small after a restart and a failover: https://github.com/redis/redis/pull/12898. Valkey 8
    was the first to go on from there.
    """
    version = server.get("valkey_version") or server.get("redis_version") or "0.0"
    major, minor, *_ = (int(part) for part in f"{version}.0".split(".")[:2])
    return (major, minor) >= ((8, 0) if "valkey_version" in server else (7, 4))


async def count_entries(redis: Redis, key: str, first: str, last: str) -> int:
    """The number of entries from one bound to the other, as XRANGE understands bounds."""
    count = 0
    while True:
        # Read-only by its name, too: whoever only looks needs no right to write.
        counted: Any = redis.eval_ro(_COUNT, 1, key, first, last, str(_STEP))
        found, last_id = await counted
        step = int(found)
        count += step
        if step < _STEP:
            return count
        first = f"({last_id.decode()}"
