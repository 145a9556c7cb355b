"""Counts what each portal sent in every ten minutes, and when it last sent something, at all
receivers.

    b24:traffic:<Unix time / 600>   hash: member id -> events; "" -> seconds in which a receiver was
                                    there to count, added up over all of them; kept for a day
    b24:traffic:last                hash: member id -> when its last event was counted, Unix
                                    seconds; kept for 90 days after the last event of all

Receivers write it together with the rates (gateway.traffic.rate_watch), so it costs them nothing
more for an event. Without the seconds, nobody could tell a silent portal from an absent receiver.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.redis_access import lua

__all__ = ["KEPT_SLOTS", "SLOT_S", "Slot", "Traffic", "TrafficCounter", "slot_at"]

SLOT_S: Final = 600
KEPT_SLOTS: Final = 24 * 3600 // SLOT_S
_LAST_KEPT_S: Final = 90 * 24 * 3600
_WATCHED: Final = ""  # no portal has this member id


class Slot(Struct, frozen=True, kw_only=True):
    """Ten minutes of one portal; `number` is their Unix time divided by 600.

    `watched_s` is for how much of it a receiver was there to count, from 0 to 600.
    """

    number: int
    events: int
    watched_s: float


def slot_at(now: float) -> int:
    """The slot that Unix time `now` is in."""
    return int(now // SLOT_S)


class TrafficCounter:
    """Adds to what portals sent. `client` is a control client; raises what it raises."""

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._count_slot = lua.script(client, "gateway.traffic", "count_slot.lua")

    async def watched(self, seconds: float, *, now: float) -> None:
        """Add that a receiver was there to count for the last so many seconds."""
        await self._add({_WATCHED: round(seconds)}, now=now)

    async def count(self, added: Mapping[str, int], *, now: float) -> None:
        """Add what portals sent just now; of some portals, to keep nobody for long."""
        await self._add(added, now=now)
        last = f"{self._prefix}:traffic:last"
        noted: Any = self._client.hset(last, mapping=dict.fromkeys(added, int(now)))
        await noted
        await self._client.expire(last, _LAST_KEPT_S)

    async def _add(self, added: Mapping[str, int], *, now: float) -> None:
        pairs = (value for pair in added.items() for value in pair)
        await self._count_slot(
            keys=[f"{self._prefix}:traffic:{slot_at(now)}"],
            args=[(KEPT_SLOTS + 1) * SLOT_S, *pairs],
        )


class Traffic:
    """Reads what portals sent. `client` is a control client without decoding; raises what it
    raises.
    """

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def slots(self, member_id: str, first: int, last: int) -> list[Slot]:
        """The slots of a portal from `first` to `last`; those too old to be kept are left out."""
        numbers = range(max(first, last - KEPT_SLOTS), last + 1)
        async with self._client.pipeline(transaction=False) as pipeline:
            for number in numbers:
                pipeline.hmget(f"{self._prefix}:traffic:{number}", [member_id, _WATCHED])
            found = await pipeline.execute()
        return [
            Slot(
                number=number,
                events=int(events or 0),
                watched_s=min(float(SLOT_S), float(watched_s or 0)),
            )
            for number, (events, watched_s) in zip(numbers, found, strict=True)
        ]

    async def last_event_at(self, member_id: str) -> float | None:
        """When the last event of a portal was counted (Unix seconds, to ten of them)."""
        at: Any = await self._client.hget(f"{self._prefix}:traffic:last", member_id)
        return None if at is None else float(at)
