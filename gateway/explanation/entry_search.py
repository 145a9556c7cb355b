"""Looks for entries by the time in their event's id: in seconds of a stream, more if need be.

An event stands on its stream a moment after its receipt, unless it waited in a spool. So what was
stored around that time is looked through first, then what came before by clocks that differ, then
what came afterwards, until there is no time left.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import EVENT_FIELD, EntryId, Streams, timestamps
from gateway.explanation.event_way import LookedThrough
from gateway.ops.entry_lines import ReadEntry, entry_of
from gateway.redis_access.stream_information import stream_information

__all__ = ["FoundEntry", "RangeReading", "SearchDeadline", "entries_around", "look_through"]

_PAGE: Final = 500
_BEFORE_MS: Final = 2_000
_AFTER_MS: Final = 10_000
_CLOCKS_DIFFER_MS: Final = 60_000

Wanted = Callable[[ReadEntry], bool]


class SearchDeadline:
    """The time that is left for looking; a search that meets it says how far it has come."""

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    @property
    def is_over(self) -> bool:
        """Whether no more may be looked for."""
        return time.monotonic() >= self._ends_at


class FoundEntry(Struct, frozen=True):
    """An entry of a stream that was looked for."""

    stream: str
    partition: int
    entry: ReadEntry


class RangeReading(Struct, frozen=True):
    """What was found of a range, and the last id that was looked at; None if that was all."""

    found: Sequence[ReadEntry]
    reached: str | None


async def look_through(
    redis: Redis,
    key: str,
    first: str,
    last: str,
    *,
    needle: bytes,
    wanted: Wanted,
    most: int,
    deadline: SearchDeadline,
    is_backwards: bool = False,
) -> RangeReading:
    """The entries of a range that are wanted, `most` of them; those with the needle are decoded."""
    found: list[ReadEntry] = []
    while True:
        page: Any = (
            await redis.xrevrange(key, last, first, count=_PAGE)
            if is_backwards
            else await redis.xrange(key, first, last, count=_PAGE)
        )
        for entry_id, fields in page:
            if needle not in fields.get(EVENT_FIELD, b""):
                continue
            entry = entry_of(key, entry_id.decode(), fields)
            if wanted(entry):
                found.append(entry)
                if len(found) == most:
                    return RangeReading(found, entry.id)
        if len(page) < _PAGE:
            return RangeReading(found, None)
        reached = page[-1][0].decode()
        if deadline.is_over:
            return RangeReading(found, reached)
        if is_backwards:
            last = f"({reached}"
        else:
            first = f"({reached}"


async def entries_around(
    redis: Redis,
    streams: Streams,
    stream: str,
    moment_ms: int,
    *,
    needle: bytes,
    wanted: Wanted,
    deadline: SearchDeadline,
    partitions: Sequence[int] | None = None,
    most: int = 1,
) -> tuple[list[FoundEntry], list[LookedThrough]]:
    """What is wanted of that which was stored around a moment, of all partitions or of these."""

    async def of(partition: int) -> tuple[list[FoundEntry], LookedThrough | None]:
        return await _of_partition(
            redis, streams, stream, partition, moment_ms,
            needle=needle, wanted=wanted, deadline=deadline, most=most,
        )  # fmt: skip

    numbers = streams.numbers if partitions is None else partitions
    each = await asyncio.gather(*map(of, numbers))
    found = [one for some, _ in each for one in some]
    return found, [looked for _, looked in each if looked is not None]


async def _of_partition(
    redis: Redis,
    streams: Streams,
    stream: str,
    partition: int,
    moment_ms: int,
    *,
    needle: bytes,
    wanted: Wanted,
    deadline: SearchDeadline,
    most: int,
) -> tuple[list[FoundEntry], LookedThrough | None]:
    key = streams.key(stream, partition)
    info = await stream_information(redis, key)
    if info is None:
        return [], None
    last_ms = EntryId.of(info["last-generated-id"]).ms
    near, far = moment_ms - _BEFORE_MS, moment_ms + _AFTER_MS
    first = moment_ms - _CLOCKS_DIFFER_MS
    windows = ((near, far), (first, near - 1), (far + 1, max(far + 1, last_ms)))
    since_ms, until_ms, is_whole = near, near, True
    found: list[FoundEntry] = []
    for begin, end in windows:
        reading = await look_through(
            redis, key, str(max(0, begin)), str(max(0, end)),
            needle=needle, wanted=wanted, most=most - len(found), deadline=deadline,
        )  # fmt: skip
        found += [FoundEntry(stream, partition, entry) for entry in reading.found]
        since_ms = min(since_ms, begin)
        until_ms = max(until_ms, EntryId.of(reading.reached).ms if reading.reached else end)
        is_whole = reading.reached is None
        if len(found) >= most or not is_whole:
            break
    begins = info["first-entry"]
    return found, LookedThrough(
        stream=stream,
        partition=partition,
        since=timestamps.milliseconds(max(0, since_ms)),
        until=timestamps.milliseconds(max(0, until_ms)),
        begins_at=timestamps.milliseconds(EntryId.of(begins[0]).ms) if begins else None,
        is_whole=is_whole,
    )
