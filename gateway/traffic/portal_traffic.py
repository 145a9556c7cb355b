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

__all__ = ["KEPT_SLOTS", "SLOT_S", "Slot", "Traffic", "count_into", "slot_at"]

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


def count_into(
    pipeline: Any, added: Mapping[str, int], *, prefix: str, now: float, watched_s: float
) -> None:
    """Add what a receiver counted in the last `watched_s` seconds; appends commands."""
    key = f"{prefix}:traffic:{slot_at(now)}"
    pipeline.hincrby(key, _WATCHED, round(watched_s))
    for member_id, events in added.items():
        pipeline.hincrby(key, member_id, events)
    pipeline.expire(key, (KEPT_SLOTS + 1) * SLOT_S)
    if added:
        last = f"{prefix}:traffic:last"
        pipeline.hset(last, mapping=dict.fromkeys(added, int(now)))
        pipeline.expire(last, _LAST_KEPT_S)


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
