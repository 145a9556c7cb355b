"""Gives one group old events again: copies entries to the group's own stream of redeliveries."""

import asyncio
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import Streams
from gateway.errors import OperatorError
from gateway.moments import parse_moment
from gateway.redis_access import lua
from gateway.redis_access.connections import AWAY
from gateway.redis_access.entry_count import CountedStream, EntryCount, count_entries

__all__ = ["Replay", "count_replay", "parse_bound", "replay", "stream_of_group"]

_PAGE: Final = 500


class Replay(Struct, frozen=True, kw_only=True):
    """Which entries a group is given again: of `stream`, from one entry id to another, inclusive.

    `is_silent`: flagged as a replay, so that consumers tell nobody of it.
    """

    group: str
    stream: str
    first: str
    last: str
    is_silent: bool = True


def parse_bound(text: str, *, now: datetime) -> str:
    """An entry id, or a time (`2h`, `2026-01-31T12:00:00Z`) as the part of an id.

    Raises ValueError.
    """
    if re.fullmatch(r"\d+-\d+", text):
        return text
    return str(round(parse_moment(text, now=now).timestamp() * 1000))


async def stream_of_group(redis: Redis, streams: Streams, group: str) -> str:
    """The stream that a group reads; raises OperatorError unless there is exactly one."""
    found = []
    for stream in ("events", "comments"):
        try:
            rows: Any = await redis.xinfo_groups(streams.key(stream, 0))
        except ResponseError:  # no such stream
            continue
        found += [stream for row in rows if row["name"] == group.encode()]
    if len(found) != 1:
        raise OperatorError(
            f"group {group} reads no stream yet"
            if not found
            else f"group {group} is on {' and '.join(found)}: choose with --stream"
        )
    return found[0]


async def count_replay(redis: Redis, streams: Streams, replay: Replay) -> EntryCount:
    """How many entries a replay would give; of many an estimate."""
    total = EntryCount(0)
    for partition in range(streams.partitions):
        stream = CountedStream(
            streams.key(replay.stream, partition),
            streams.retention_marks(replay.stream, partition),
        )
        total += await count_entries(redis, stream, replay.first, replay.last)
    return total


async def replay(
    redis: Redis,
    streams: Streams,
    replay: Replay,
    *,
    per_second: float,
    told: Callable[[int], None],
) -> int:
    """Give the entries, at most `per_second` of them; how many. `told` hears the count so far.

    Not idempotent: given twice is handled twice (harmless for idempotent sinks), so the client
    must not repeat commands by itself. Raises OperatorError naming where to go on when Redis goes
    away in between.
    """
    script = lua.script(redis, "gateway.ops", "copy.lua")
    size = max(1, min(_PAGE, int(per_second / 5)))
    started, count = time.monotonic(), 0
    for partition in range(streams.partitions):
        first = replay.first
        while True:
            try:
                copied, last = await script(
                    keys=[
                        streams.key(replay.stream, partition),
                        streams.replay(replay.group, partition),
                    ],
                    args=[
                        first,
                        replay.last,
                        size,
                        replay.stream,
                        "replay" if replay.is_silent else "retry",
                    ],
                )
            except AWAY as error:
                raise OperatorError(
                    f"Redis went away after {count} entries; the replay of partition {partition} "
                    f"goes on with --from '{first.lstrip('(')}'"
                ) from error
            count += copied
            told(count)
            if copied < size:
                break
            first = f"({last.decode()}"
            await asyncio.sleep(max(0.0, started + count / per_second - time.monotonic()))
    return count
