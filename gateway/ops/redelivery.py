"""Gives one group old events again: copies entries to the group's own stream of redeliveries."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import EntryId, EventSelection, Streams
from gateway.errors import OperatorError
from gateway.moments import parse_moment
from gateway.ops.entry_lines import entry_of
from gateway.redis_access import lua
from gateway.redis_access.connections import AWAY
from gateway.redis_access.entry_count import CountedStream, EntryCount, count_entries
from gateway.redis_access.stream_information import group_rows, stream_information

__all__ = [
    "Replay",
    "ReplayOutcome",
    "ReplayPosition",
    "count_replay",
    "missing_before",
    "parse_bound",
    "replay",
    "stream_of_group",
]

_PAGE: Final = 500


class ReplayPosition(Struct, frozen=True):
    """Up to where entries were given: an id of a partition; written `<partition>/<id>`."""

    partition: int
    id: str

    @classmethod
    def of(cls, text: str) -> "ReplayPosition":
        """Read `<partition>/<id>`. Raises ValueError."""
        partition, _, entry_id = text.partition("/")
        if not partition.isdecimal():
            raise ValueError(f"{text}: not <partition>/<id>, as a stopped replay says it")
        return cls(int(partition), str(EntryId.of(entry_id)))

    def __str__(self) -> str:
        return f"{self.partition}/{self.id}"


class ReplayOutcome(Struct, frozen=True):
    """How many entries were given; where a stopped one goes on, and why it stopped unasked."""

    count: int
    stopped_at: ReplayPosition | None = None
    error: str | None = None


class Replay(Struct, frozen=True, kw_only=True):
    """Which entries a group is given again: of `stream`, from one entry id to another, inclusive.

    Only events of `selection`. `is_silent`: flagged as a replay, so that nobody is told of it.
    `after` is where a replay of the same bounds goes on that was stopped; partitions before that
    one are through.
    """

    group: str
    stream: str
    first: str
    last: str
    selection: EventSelection = EventSelection()
    is_silent: bool = True
    after: ReplayPosition | None = None


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
        rows = await group_rows(redis, streams.key(stream, 0))
        found += [stream for row in rows if row["name"] == group.encode()]
    if len(found) != 1:
        raise OperatorError(
            f"group {group} reads no stream yet"
            if not found
            else f"group {group} is on {' and '.join(found)}: choose with --stream"
        )
    return found[0]


async def count_replay(redis: Redis, streams: Streams, replay: Replay) -> EntryCount:
    """How many entries a replay would give; of many an estimate, unless they have to be read."""
    total = EntryCount(0)
    for partition in _partitions(streams, replay):
        if not replay.selection.is_everything:
            async for _last, chosen in _pages(redis, streams, replay, partition):
                total += EntryCount(len(chosen))
            continue
        stream = CountedStream(
            streams.key(replay.stream, partition),
            streams.retention_marks(replay.stream, partition),
        )
        first = _first_of(replay, partition)
        total += await count_entries(redis, stream, first, replay.last)
    return total


async def missing_before(redis: Redis, streams: Streams, replay: Replay) -> int | None:
    """When the stream begins, in Unix ms, if it has lost what a replay asks for; else None.

    Of several partitions the latest beginning: from there on all is there.
    """
    begins = []
    for partition in streams.numbers:
        info = await stream_information(redis, streams.key(replay.stream, partition))
        if info is None:
            continue
        is_whole = info["entries-added"] == info["length"]
        first = info["first-entry"]
        begins_at = EntryId.of(first[0] if first else info["last-generated-id"])
        if not is_whole and begins_at > EntryId.of(replay.first):
            begins.append(begins_at.ms)
    return max(begins, default=None)


async def replay(
    redis: Redis,
    streams: Streams,
    replay: Replay,
    *,
    per_second: float,
    told: Callable[[int], None],
    stop: asyncio.Event,
) -> ReplayOutcome:
    """Give the entries, at most `per_second` of them. `told` hears the count so far.

    Ends between two steps when `stop` is set, and when Redis goes away: the outcome says where it
    goes on. Not idempotent: given twice is handled twice (harmless for idempotent sinks), so the
    client must not repeat commands by itself; of a step whose answer is lost nobody knows, and
    going on gives its entries, two hundred at most, once more.
    """
    giving = _Giving(redis, streams, replay, size=max(1, min(_PAGE, int(per_second / 5))))
    started, count = time.monotonic(), 0
    for partition in _partitions(streams, replay):
        at = _first_of(replay, partition)
        while True:
            try:
                given, read, last = await giving.step(partition, at)
            except AWAY as error:
                reason = f"Redis went away: {error}"
                return ReplayOutcome(count, _position_before(partition, at), reason)
            count += given
            told(count)
            if read < giving.size:
                break
            at = f"({last}"
            if stop.is_set():
                return ReplayOutcome(count, ReplayPosition(partition, last))
            pause_s = max(0.0, started + count / per_second - time.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await stop.wait()
        if stop.is_set() and partition + 1 < streams.numbers.stop:
            return ReplayOutcome(count, ReplayPosition(partition + 1, "0-0"))
    return ReplayOutcome(count)


class _Giving:
    """Gives a page of entries at a time."""

    def __init__(self, redis: Redis, streams: Streams, replay: Replay, *, size: int) -> None:
        self._redis = redis
        self._streams = streams
        self._replay = replay
        self._copy = lua.script(redis, "gateway.ops", "copy.lua")
        self._copy_chosen = lua.script(redis, "gateway.ops", "copy_chosen.lua")
        self.size = size

    async def step(self, partition: int, first: str) -> tuple[int, int, str]:
        """Give the next entries of a partition; how many, of how many, and up to which id."""
        replay = self._replay
        source = self._streams.key(replay.stream, partition)
        keys = [source, self._streams.replay(replay.group, partition)]
        kind = "replay" if replay.is_silent else "retry"
        if replay.selection.is_everything:
            copied, last = await self._copy(
                keys=keys, args=[first, replay.last, self.size, replay.stream, kind]
            )
            return copied, copied, last.decode()
        page = await _page(self._redis, source, first, replay.last, self.size)
        chosen = _chosen(replay, source, page)
        if chosen:
            await self._copy_chosen(keys=keys, args=[replay.stream, kind, *chosen])
        return len(chosen), len(page), page[-1][0].decode() if page else ""


async def _pages(
    redis: Redis, streams: Streams, replay: Replay, partition: int
) -> AsyncIterator[tuple[str, list[str]]]:
    """Page by page of a partition: the last id, and the ids of the events that are meant."""
    key, first = streams.key(replay.stream, partition), _first_of(replay, partition)
    while page := await _page(redis, key, first, replay.last, _PAGE):
        last = page[-1][0].decode()
        yield last, _chosen(replay, key, page)
        first = f"({last}"


async def _page(redis: Redis, key: str, first: str, last: str, size: int) -> list[Any]:
    page: Any = await redis.xrange(key, first, last, count=size)
    return list(page)


def _chosen(replay: Replay, key: str, page: list[Any]) -> list[str]:
    entries = (entry_of(key, entry_id.decode(), fields) for entry_id, fields in page)
    return [
        entry.id
        for entry in entries
        if entry.event is not None and replay.selection.has(entry.event)
    ]


def _partitions(streams: Streams, replay: Replay) -> range:
    return streams.numbers[0 if replay.after is None else replay.after.partition :]


def _first_of(replay: Replay, partition: int) -> str:
    """From where on a partition is read."""
    after = replay.after
    if after is None or after.partition != partition or after.id == "0-0":
        return replay.first
    return f"({after.id}"


def _position_before(partition: int, at: str) -> ReplayPosition:
    """Where it goes on that was to be read from `at` on."""
    return ReplayPosition(partition, at[1:] if at.startswith("(") else "0-0")
