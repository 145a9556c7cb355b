"""Lists the portals that have deliveries in quarantine, so that one of these is found by its id.

    b24:quarantine:portals    sorted set: member ids, by when something was kept last (ms)

A portal stays in the list until what was kept last has expired, also if it was taken out before.
"""

from collections.abc import Collection
from typing import Any

from redis.asyncio import Redis

__all__ = ["QuarantineHolders"]


class QuarantineHolders:
    """Keeps the list of one installation. Raises what the client raises."""

    def __init__(self, client: Redis, *, kept_ms: int, prefix: str) -> None:
        self._client = client
        self._kept_ms = kept_ms
        self._key = f"{prefix}:quarantine:portals"

    async def add(self, member_ids: Collection[str], *, now_ms: int) -> None:
        """Something was kept for these now."""
        if not member_ids:
            return
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.zadd(self._key, dict.fromkeys(member_ids, now_ms))
            pipeline.zremrangebyscore(self._key, "-inf", now_ms - self._kept_ms)
            pipeline.pexpire(self._key, self._kept_ms)
            await pipeline.execute()

    async def read(self) -> list[str]:
        """Those for which something may be kept, whoever was last first."""
        found: Any = await self._client.zrevrange(self._key, 0, -1)
        return [member_id.decode() for member_id in found]
