"""Keeps the record of gaps, in Redis.

    b24:gaps:{<member id>}   hash: where they were found -> JSON array of gaps

What is found in one place, such as a reservation, is noted in one field: noting it twice is the
same as noting it once. About 500 fields are kept, the newest; all of them for 90 days.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from redis.asyncio import Redis

from gateway.missed_events.gaps import Gap, merged

__all__ = ["GapBook"]

_MAX_FIELDS: Final = 550
_KEPT_FIELDS: Final = 500
_KEPT_S: Final = 90 * 24 * 3600

_decode = msgspec.json.Decoder(tuple[Gap, ...]).decode


class GapBook:
    """Keeps the gaps of all portals.

    Every method raises one of connections.FAILURES when Redis does not do its part, and
    may be repeated. `client` is a control client (gateway.redis_access.connections.control).
    """

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def note(self, member_id: str, source: str, gaps: Sequence[Gap]) -> None:
        """Note what was found in `source`, in place of what was noted of it before."""
        if not gaps:
            return
        key = self._key(member_id)
        async with self._client.pipeline(transaction=False) as pipeline:
            pipeline.hset(key, source, msgspec.json.encode(gaps))
            pipeline.expire(key, _KEPT_S)
            pipeline.hlen(key)
            *_, count = await pipeline.execute()
        if count > _MAX_FIELDS:
            await self._forget_oldest(key)

    async def of(self, member_id: str) -> list[Gap]:
        """All gaps of a portal, those made one that touch each other, in the order of time."""
        fields: Any = await self._client.hgetall(self._key(member_id))
        return merged(gap for raw in fields.values() for gap in _decode(raw))

    async def _forget_oldest(self, key: str) -> None:
        fields: Any = await self._client.hgetall(key)
        by_age = sorted(fields, key=lambda name: _decode(fields[name])[-1].last, reverse=True)
        await self._client.hdel(key, *by_age[_KEPT_FIELDS:])

    def _key(self, member_id: str) -> str:
        return f"{self._prefix}:gaps:{{{member_id}}}"
