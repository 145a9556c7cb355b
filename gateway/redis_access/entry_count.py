"""Counts the entries between two ids of a stream: a few exactly, and of many only the first.

For where the server has no number of its own, or a wrong one: a group's `lag` is missing once
entries ahead of it were deleted, and after the group was made at an id in the middle
(https://redis.io/docs/latest/commands/xinfo-groups/), and Redis before 7.4 forgets what a group has
read when it starts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import EntryId
from gateway.redis_access import lua
from gateway.redis_access.entry_marks import EntryMarks, Mark, around, evenly, marks_between
from gateway.redis_access.stream_information import stream_information

__all__ = ["CountedStream", "EntryCount", "count_entries", "counts_reads"]

_EXACTLY: Final = 20_000
_STEP: Final = 500
"""Entries of one step; they keep the server for about a millisecond and do not leave it."""

_COUNT: Final = lua.source("gateway.redis_access", "count_entries.lua")


def counts_reads(server: Mapping[str, Any]) -> bool:
    """Whether a server, by its `INFO server`, still knows after a restart what groups have read.

    Before Redis 7.4 the number is neither in the append-only file nor replicated, so that it is
    too small after a restart and a failover: https://github.com/redis/redis/pull/12898. Valkey 8
    was the first to go on from there.
    """
    version = server.get("valkey_version") or server.get("redis_version") or "0.0"
    major, minor, *_ = (int(part) for part in f"{version}.0".split(".")[:2])
    return (major, minor) >= ((8, 0) if "valkey_version" in server else (7, 4))


class CountedStream(Struct, frozen=True):
    """A partition of a stream, and where the marks of its entries are."""

    key: str
    marks: str


class EntryCount(Struct, frozen=True):
    """A number of entries, or an estimate of one."""

    count: int
    is_estimate: bool = False

    def __str__(self) -> str:
        return f"~{self.count}" if self.is_estimate else str(self.count)

    def __add__(self, other: "EntryCount") -> "EntryCount":
        return EntryCount(self.count + other.count, self.is_estimate or other.is_estimate)


async def count_entries(redis: Redis, stream: CountedStream, first: str, last: str) -> EntryCount:
    """The number of entries from one bound to the other, as XRANGE understands bounds.

    Up to 20,000 are counted. Of more it is told by the marks that retention makes
    (gateway.redis_access.entry_marks), and by counting from a mark to either bound: an estimate, in
    which deleted entries count, and which costs the same however many there are. Where there are
    no marks, as before a receiver has run, it is as if all entries of the stream had come evenly.
    """
    count, is_all = await _exactly(redis, stream.key, first, last)
    if is_all:
        return EntryCount(count)
    marks = await _marks(redis, stream)
    if not marks:  # it was deleted meanwhile
        return EntryCount(count, is_estimate=True)
    begin = marks[0].id if first == "-" else max(marks[0].id, _first_of(first).previous)
    end = marks[-1].id if last == "+" else min(marks[-1].id, _last_of(last))
    before = await _position(redis, stream.key, marks, begin)
    between = await _position(redis, stream.key, marks, end) - before
    return EntryCount(max(count, between), is_estimate=True)


async def _position(redis: Redis, key: str, marks: Sequence[Mark], entry_id: EntryId) -> int:
    """How many entries had been added up to an id."""
    before, behind = around(marks, entry_id)
    if behind.added - before.added <= _EXACTLY:
        count, _ = await _exactly(redis, key, f"({before.id}", str(entry_id))
        return before.added + count
    return evenly(before, behind, entry_id)


async def _exactly(redis: Redis, key: str, first: str, last: str) -> tuple[int, bool]:
    """The number of entries, up to a bound; whether that is all of them."""
    count = 0
    while count <= _EXACTLY:
        # Read-only by its name, too: whoever only looks needs no right to write.
        counted: Any = redis.eval_ro(_COUNT, 1, key, first, last, str(_STEP))
        found, last_id = await counted
        count += int(found)
        if int(found) < _STEP:
            return count, True
        first = f"({last_id.decode()}"
    return count, False


async def _marks(redis: Redis, stream: CountedStream) -> list[Mark]:
    """The marks of a stream, with its begin and its end; none if it is not there."""
    info = await stream_information(redis, stream.key)
    if info is None:
        return []
    if not info["first-entry"]:
        return []
    begin = EntryId.of(info["first-entry"][0]).previous
    end = EntryId.of(info["last-generated-id"])
    added = int(info["entries-added"])
    marks = await EntryMarks(redis, stream.marks).read()
    return marks_between(marks, Mark(begin, added - int(info["length"])), Mark(end, added))


def _first_of(bound: str) -> EntryId:
    """The lowest id that a bound of XRANGE lets in."""
    return EntryId.of(bound[1:]).next if bound.startswith("(") else EntryId.of(bound)


def _last_of(bound: str) -> EntryId:
    """The highest id that a bound of XRANGE lets in."""
    if bound.startswith("("):
        return EntryId.of(bound[1:]).previous
    return EntryId.of(bound) if "-" in bound else EntryId(int(bound) + 1, 0).previous
