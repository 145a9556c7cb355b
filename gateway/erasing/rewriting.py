"""Has Redis write its append-only file anew, without what was erased."""

import asyncio
from typing import Any, Final

from redis.asyncio import Redis, RedisCluster

__all__ = ["rewrite"]

_LOOK_S: Final = 0.2


async def rewrite(redis: Redis, *, timeout_s: float) -> bool:
    """Rewrite on every primary and wait for it; false if it is not done in time, or fails.

    Raises one of connections.FAILURES; may be repeated.
    """
    try:
        async with asyncio.timeout(timeout_s):
            await _settled(redis)  # one that is under way may have begun before the erasure
            await _all(redis, "BGREWRITEAOF")
            return await _settled(redis)
    except TimeoutError:
        return False


async def _settled(redis: Redis) -> bool:
    """Wait until no rewrite is under way; whether the last one of every primary went well."""
    while True:
        infos = await _all(redis, "INFO", "persistence")
        if not any(
            info["aof_rewrite_in_progress"] + info["aof_rewrite_scheduled"] for info in infos
        ):
            return all(info["aof_last_bgrewrite_status"] == "ok" for info in infos)
        await asyncio.sleep(_LOOK_S)


async def _all(redis: Redis, *command: str) -> list[Any]:
    client: Any = redis  # which may be a cluster's (gateway.redis_access.connections)
    if not isinstance(client, RedisCluster):
        return [await client.execute_command(*command)]
    await client.initialize()
    primaries = client.get_primaries()
    return [await client.execute_command(*command, target_nodes=node) for node in primaries]
