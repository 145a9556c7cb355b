"""Portals that were heard for weeks, so that a test need not wait for them."""

from redis.asyncio import Redis

from gateway.portal_health.silence_rule import SilenceState
from gateway.portal_health.silence_watch import silence_states
from gateway.portal_health.usual_rate import HOURS, UsualRate
from gateway.traffic.portal_traffic import SLOT_S, TrafficCounter, slot_at

__all__ = ["BUSY", "count", "known_for_weeks"]

BUSY = UsualRate(watched=(30.0,) * HOURS, active=(29.0,) * HOURS, events=(300.0,) * HOURS)
"""Something comes in nearly every ten minutes, at all hours, sixty times an hour."""


async def known_for_weeks(redis: Redis, member_id: str, *, now: float) -> None:
    """A busy portal that was listened to until the slot that `now` is in."""
    memory = silence_states(redis, prefix="b24")
    known = SilenceState(next_slot=slot_at(now), rhythm=BUSY, watched_s=30 * 86400.0)
    assert await memory.swap(member_id, await memory.read(member_id), known)


async def count(redis: Redis, events: dict[str, int], *, first: float, last: float) -> None:
    """What a receiver counts that is there from `first` to `last`: so many events in each slot."""
    traffic = TrafficCounter(redis, prefix="b24")
    at = first
    while at < last:
        watched_s = min((slot_at(at) + 1) * SLOT_S, last) - at
        await traffic.watched(watched_s, now=at)
        if events:
            await traffic.count(events, now=at)
        at += watched_s
