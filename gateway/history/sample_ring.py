"""Keeps samples of the last hour in Redis: a ring of fixed size, whatever there is to be measured.

    b24:history     hash: the number of a slot -> JSON of HistorySample; an hour after the last one
                    it is gone

A slot is half a minute; after an hour its number comes again, and the older sample is written over.
Several receivers may write the same slot: they saw the same, and the last one stays.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

__all__ = ["HOUR_MS", "SLOT_MS", "GroupSample", "HistorySample", "read_samples", "write_sample"]

SLOT_MS: Final = 30_000
HOUR_MS: Final = 3_600_000
_SLOTS: Final = HOUR_MS // SLOT_MS
_KEPT_S: Final = HOUR_MS // 1000
_MOST_GROUPS: Final = 50
# Of a sample: 3 KB, and so 360 KB of all. Those that are furthest behind stay.


class GroupSample(Struct, frozen=True, array_like=True):
    """A group on a stream at a moment; `settled` counts all entries that it was ever through with.

    `waiting` is None where the server cannot tell it.
    """

    group: str
    stream: str
    waiting: int | None
    in_hand: int
    settled: int


class HistorySample(Struct, frozen=True, array_like=True):
    """What was measured `at_ms` (Unix ms, by the clock of Redis).

    `accepted` counts all events that receivers have ever accepted. `answers` are how many batches
    were stored since the sample before, by how long that took: up to each bound of
    gateway.store_times.STORE_BOUNDS_S, and longer; empty if that is not known.
    """

    at_ms: int
    accepted: int
    groups: tuple[GroupSample, ...]
    answers: tuple[int, ...] = ()


def history_key(prefix: str) -> str:
    """The key of the hash."""
    return f"{prefix}:history"


async def write_sample(client: Redis, prefix: str, sample: HistorySample) -> None:
    """Write a sample into its slot; may be repeated. Raises what a control client raises."""
    redis: Any = client
    key = history_key(prefix)
    slot = sample.at_ms // SLOT_MS % _SLOTS
    groups = sorted(sample.groups, key=lambda one: -(one.waiting or 0) - one.in_hand)
    bounded = msgspec.structs.replace(sample, groups=tuple(groups[:_MOST_GROUPS]))
    await redis.hset(key, str(slot), msgspec.json.encode(bounded))
    await redis.expire(key, _KEPT_S)


async def read_samples(client: Redis, prefix: str) -> Sequence[HistorySample]:
    """The samples that there are, the oldest first, some of which may be older than an hour.

    What another version wrote and this one cannot read is left out. Raises what a control client
    raises.
    """
    redis: Any = client
    found = []
    for value in await redis.hvals(history_key(prefix)):
        with suppress(msgspec.DecodeError):
            found.append(msgspec.json.decode(value, type=HistorySample))
    return sorted(found, key=lambda one: one.at_ms)
