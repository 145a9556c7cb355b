"""Learns how often a portal usually sends, by hour of the week, from what it sent. Pure.

What counts is in how many slots of ten minutes it sent anything, not how many events: a portal that
imports a thousand comments at once is not a portal that sends a thousand an hour. Each week counts
half as much as one six weeks later, so a rate follows its portal.

Hours are those of UTC, where people's hours shift twice a year. So an hour counts as busy only as
far as the hours around it are busy too (`chance`), and the edges of working days are not sharp.
"""

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from gateway.traffic.portal_traffic import SLOT_S

__all__ = ["HOURS", "UsualRate", "chance", "hour_of", "learnt", "surprise_of", "usual_per_hour"]

HOURS: Final = 168
_SLOTS_PER_HOUR: Final = 3600 // SLOT_S
_HALF_LIFE_WEEKS: Final = 6
_FADE: Final = 0.5 ** (1 / (_HALF_LIFE_WEEKS * _SLOTS_PER_HOUR))
_DIGITS: Final = 4
# What is rounded away is far less than one slot, and the text in Redis stays short.
_NOTHING: Final = (0.0,) * HOURS


class UsualRate(Struct, frozen=True, kw_only=True):
    """For each hour of the week, in slots that count less the older they are: how many were
    watched, and in how many of them something came; and how many events came.
    """

    watched: tuple[float, ...] = _NOTHING
    active: tuple[float, ...] = _NOTHING
    events: tuple[float, ...] = _NOTHING


def hour_of(slot: int) -> int:
    """The hour of the week of a slot; 0 is the one that the Unix epoch began with, a Thursday's."""
    return slot // _SLOTS_PER_HOUR % HOURS


def learnt(rate: UsualRate, slot: int, *, events: int, watched: float) -> UsualRate:
    """The rate after one more slot, of which the share `watched` was seen."""
    hour = hour_of(slot)

    def with_one_more(values: Sequence[float], value: float) -> tuple[float, ...]:
        faded = round(values[hour] * _FADE**watched + value * watched, _DIGITS)
        return (*values[:hour], faded, *values[hour + 1 :])

    return UsualRate(
        watched=with_one_more(rate.watched, 1),
        active=with_one_more(rate.active, events > 0),
        events=with_one_more(rate.events, events),
    )


def chance(rate: UsualRate, hour: int) -> float:
    """How probable it is that something comes in a slot of this hour, as far as is known.

    Over three hours, and the least of what that gives for the hour and its two neighbours.
    """
    return min(_share(rate, hour + shift) for shift in (-1, 0, 1))


def surprise_of(rate: UsualRate, slot: int, share: float) -> float:
    """How surprising it is that nothing came in this share of a slot: -ln of its probability."""
    return -math.log1p(-chance(rate, hour_of(slot))) * share


def usual_per_hour(rate: UsualRate, hour: int) -> float | None:
    """How many events come in this hour; None if it was never seen."""
    watched = rate.watched[hour]
    return rate.events[hour] / watched * _SLOTS_PER_HOUR if watched else None


def _share(rate: UsualRate, hour: int) -> float:
    hours = [(hour + shift) % HOURS for shift in (-1, 0, 1)]
    # Two more quiet slots than were seen: what was seen once is not yet certain, and nothing ever
    # becomes impossible.
    watched = sum(rate.watched[one] for one in hours) + 2
    return sum(rate.active[one] for one in hours) / watched
