"""Portals of made-up companies: how people's weeks look to whoever counts their events."""

import math
from collections.abc import Callable, Iterator
from random import Random

from gateway.portal_health import silence_rule as ears
from gateway.portal_health.silence_rule import SilenceRules, SilenceState
from gateway.traffic.portal_traffic import SLOT_S, Slot

WEEK = 7 * 24 * 3600 // SLOT_S
DAY = WEEK // 7
HOUR = DAY // 24
MONDAY = 4 * DAY
"""A Monday's first slot: the epoch was a Thursday."""

RULES = SilenceRules(
    min_surprise=-math.log(1e-5), min_silence_s=1800, min_watched_s=7 * 86400, asks=False
)

Company = Callable[[int], int]
"""How many events come in a slot; asked for each slot once, in order."""


def business(slot: int) -> float:
    """How busy an office is, from 0 to 1, by its own clock."""
    day, hour = (slot - MONDAY) // DAY % 7, slot // HOUR % 24
    if day >= 5:
        return 0.002
    return {7: 0.3, 12: 0.5, 18: 0.3}.get(hour, 1.0 if 7 < hour < 18 else 0.001)


def office(
    random: Random, *, per_hour: float, crowding: float = 0, summer: int | None = None
) -> Company:
    """An office with so many events in a busy hour.

    With `crowding`, people are together busy and together idle for so many slots on average. From
    the slot `summer` on, its clocks are an hour ahead.
    """
    is_busy = True

    def events(slot: int) -> int:
        nonlocal is_busy
        level = business(slot + HOUR if summer is not None and slot >= summer else slot)
        mean = per_hour / HOUR * level
        if crowding:
            is_busy ^= random.random() < 1 / crowding
            mean *= 2 * is_busy
        return _poisson(random, mean)

    return events


def days_off(company: Company, *, first: int, slots: int) -> Company:
    """The same company, which is closed in these slots."""
    return lambda slot: 0 if first <= slot < first + slots else company(slot)


def listened(
    company: Company,
    *,
    first: int = MONDAY,
    slots: int,
    state: SilenceState | None = None,
    rules: SilenceRules = RULES,
    watched_s: float = SLOT_S,
    looks: int = 1,
) -> Iterator[SilenceState]:
    """What is known after each look, `looks` of them in each slot, the last one at its end."""
    state = state or ears.first_heard(first * SLOT_S)
    for number in range(first, first + slots):
        slot = Slot(number=number, events=company(number), watched_s=watched_s)
        for look in range(1, looks + 1):
            now = (number + look / looks) * SLOT_S
            last = [Slot(number=number + 1, events=0, watched_s=0)] if look == looks else []
            state = ears.heard(state, [slot, *last], now=now, rules=rules)
            yield state


def alarms(seen: Iterator[SilenceState]) -> tuple[list[float], SilenceState]:
    """When alarms began, and what is known at the end."""
    begun: list[float] = []
    was: float | None = None
    one = None
    for one in seen:
        if one.alarm_at is not None and was is None:
            begun.append(one.alarm_at)
        was = one.alarm_at
    assert one is not None
    return begun, one


def _poisson(random: Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count
