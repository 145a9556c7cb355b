"""How many entries there are between two ids: exact for few, and as quick for many."""

import time
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.contract import EntryId, Streams
from gateway.redis_access.entry_count import CountedStream, EntryCount, count_entries
from gateway.redis_access.entry_marks import EntryMarks
from gateway.retention.keeper import Retention
from gateway.settings import RetentionSettings

STREAMS = Streams()
STREAM = CountedStream(STREAMS.key("events", 0), STREAMS.retention_marks("events", 0))
START_MS = int(time.time() * 1000) - 3_600_000
FILL = Path(__file__).with_name("fill_stream.lua").read_text()


async def fill(redis: Redis, count: int, *, from_ms: int, apart_ms: int = 1) -> None:
    for first in range(0, count, 5_000):
        many = min(5_000, count - first)
        filled: Any = redis.eval(FILL, 1, STREAM.key, from_ms + first * apart_ms, many, apart_ms)
        await filled


async def calls_for(redis: Redis, first: str, last: str) -> int:
    """How many looks into the stream it takes to count."""
    await redis.config_resetstat()
    await count_entries(redis, STREAM, first, last)
    stats: Any = await redis.info("commandstats")
    return int(stats["cmdstat_xrange"]["calls"])


async def test_few_entries_are_counted(redis: Redis) -> None:
    await fill(redis, 12_345, from_ms=START_MS)

    everything = await count_entries(redis, STREAM, "-", "+")
    tail = await count_entries(redis, STREAM, f"({START_MS + 12_000}-0", "+")

    assert (everything, tail) == (EntryCount(12_345), EntryCount(344))


async def test_many_entries_take_no_more_looks_than_some(redis: Redis) -> None:
    await fill(redis, 60_000, from_ms=START_MS)
    some = await calls_for(redis, "-", "+")
    await fill(redis, 240_000, from_ms=START_MS + 100_000)

    assert await calls_for(redis, "-", "+") <= some
    assert some <= 124


async def test_of_many_it_is_told_by_the_marks_that_retention_makes(redis: Redis) -> None:
    """All came in bursts: without marks, nobody could tell."""
    retention = Retention(redis, STREAMS, RetentionSettings())
    for minute in range(12):
        await fill(redis, 15_000 if minute % 4 else 5_000, from_ms=START_MS + 60_000 * minute)
        await retention.look_once()
    second = START_MS + 60_000

    left = await count_entries(redis, STREAM, f"{second}-0", "+")
    middle = await count_entries(redis, STREAM, str(second), str(START_MS + 7 * 60_000 - 1))

    assert left == EntryCount(145_000, is_estimate=True)
    assert middle == EntryCount(80_000, is_estimate=True)


async def test_without_marks_it_is_as_if_all_had_come_evenly(redis: Redis) -> None:
    await fill(redis, 100_000, from_ms=START_MS, apart_ms=10)

    left = await count_entries(redis, STREAM, f"({START_MS + 250_000}-0", "+")

    assert left.is_estimate
    assert left.count == pytest.approx(74_999, abs=5)


async def test_what_comes_while_it_counts_and_what_is_gone_do_no_harm(redis: Redis) -> None:
    await fill(redis, 50_000, from_ms=START_MS)
    await EntryMarks(redis, STREAM.marks).note(EntryId(START_MS + 49_999), 50_000)
    await redis.delete(STREAM.key)
    await fill(redis, 30_000, from_ms=START_MS + 1_000_000)

    assert (await count_entries(redis, STREAM, "-", "+")).count == 30_000
    await redis.delete(STREAM.key)
    assert await count_entries(redis, STREAM, "-", "+") == EntryCount(0)


async def test_marks_are_kept_of_the_newest_entries_only_and_go_with_their_stream(
    redis: Redis,
) -> None:
    marks = EntryMarks(redis, STREAM.marks)
    for number in range(1, 1_100):
        await marks.note(EntryId(START_MS + number), 10_000 * number)
        await marks.note(EntryId(START_MS + number, 7), 10_000 * number + 9_999)

    kept = await marks.read()
    assert (len(kept), kept[-1].added) == (1_000, 10_990_000)

    await EntryMarks(redis, STREAM.marks).note(EntryId(START_MS + 9_999), 12_000)
    assert [mark.added for mark in await marks.read()] == [12_000]
    await marks.forget()
    assert await marks.read() == []
