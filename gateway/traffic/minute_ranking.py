"""Counts what each portal sends in a minute, at all receivers, and knows who sends most.

    b24:rates:{minutes}:<Unix time / 60>   sorted set: member id -> events in that minute; kept for
                                           three minutes

(The braces keep two minutes, which one script reads, in one slot of a cluster.)
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.redis_access import lua
from gateway.traffic.rates import Tally

__all__ = ["Busiest", "MinuteRanking", "ranking_pattern"]

_KEPT_S: Final = 180


class Busiest(Struct, frozen=True):
    """The portals that sent most in a minute, with their events, and how many sent anything."""

    events: Mapping[str, int]
    sending_count: int


def ranking_pattern(prefix: str) -> str:
    """What SCAN finds the minutes' keys by."""
    return f"{prefix}:rates:{{minutes}}:*"


class MinuteRanking:
    """Keeps the minutes. `client` is a control client; raises what it raises."""

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._count_minute = lua.script(client, "gateway.traffic", "count_minute.lua")

    async def add(self, minute: int, added: Mapping[str, int]) -> Tally:
        """Count these events of some portals; the tally is of those portals alone."""
        pairs = (value for pair in added.items() for value in pair)
        sums: list[int] = await self._count_minute(
            keys=[self._key(minute), self._key(minute - 1)], args=[_KEPT_S, *pairs]
        )
        return Tally(
            added,
            current=dict(zip(added, sums[::2], strict=True)),
            previous=dict(zip(added, sums[1::2], strict=True)),
        )

    async def busiest(self, minute: int, most: int) -> Busiest:
        """The `most` portals that sent most in a minute."""
        ranked: Any = await self._client.zrevrange(self._key(minute), 0, most - 1, withscores=True)
        events = {member_id.decode(): int(count) for member_id, count in ranked}
        return Busiest(events, int(await self._client.zcard(self._key(minute))))

    def _key(self, minute: int) -> str:
        return f"{self._prefix}:rates:{{minutes}}:{minute}"
