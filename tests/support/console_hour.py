"""An hour of an installation as its samples have it: a working day, and a search that goes away."""

from math import sin
from time import time
from typing import Final

from redis.asyncio import Redis

from gateway.history.sample_ring import HOUR_MS, SLOT_MS, GroupSample, HistorySample, write_sample

__all__ = ["GAP", "samples_of_an_hour", "write_hour"]

GAP: Final = range(38, 44)
"""Samples that are missing, as while Redis is away."""
_COUNT: Final = HOUR_MS // SLOT_MS
_AWAY_FROM: Final = 96
# From then on `index` handles nothing.


def samples_of_an_hour(until_ms: int) -> list[HistorySample]:
    """The samples up to a moment, the oldest first."""
    found, accepted = [], 0
    for number in range(_COUNT):
        here = 500 + round(300 * sin(number / 9) + 160 * sin(number / 2.3)) + 37 * (number % 3)
        accepted += here
        left = max(0, number - _AWAY_FROM) * 56
        if number in GAP:
            continue
        waiting = {
            "audit": 2 * (number % 23 == 0),
            "enricher": 9 + round(6 * sin(number / 5)),
            "index": left,
        }
        groups = [
            GroupSample(group, "events", count, 6 if count else 0, accepted - count)
            for group, count in waiting.items()
        ]
        warehouse = GroupSample("warehouse", "events", here % 200, 40, accepted // 500 * 500)
        slow = 4 if number < _AWAY_FROM else 30
        found.append(
            HistorySample(
                at_ms=until_ms - (_COUNT - 1 - number) * SLOT_MS,
                accepted=accepted,
                groups=(*groups, warehouse),
                answers=(here, here // 2, here // 8, slow, number % 3, 0, 0, 0, 0, 0, 0, 0, 0),
            )
        )
    return found


async def write_hour(redis: Redis) -> None:
    """Write the samples of the hour up to now."""
    for sample in samples_of_an_hour(round(time() * 1000)):
        await write_sample(redis, "b24", sample)
