"""Notes from time to time how many entries a stream has had up to an id, and reads these notes.

    b24:retention:<stream>:{p}:marks   sorted set: entry id -> entries ever added up to it; the
                                       thousand newest

The server knows that number for a stream's end alone. With it for an id each some thousand entries,
nobody has to read millions to say how many there are between two ids. Entries that were deleted
from the midst of a stream count as if they were there.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import EntryId

__all__ = ["EntryMarks", "Mark", "around", "evenly", "marks_between"]

_APART: Final = 10_000
_KEPT: Final = 1_000


class Mark(Struct, frozen=True, order=True):
    """How many entries had been added to a stream when `id` was."""

    id: EntryId
    added: int


class EntryMarks:
    """Writes and reads the marks of one partition of a stream, at `key`.

    `client` is a control client; raises what it raises.
    """

    def __init__(self, client: Redis, key: str) -> None:
        self._client = client
        self._key = key
        self._newest: int | None = None

    async def note(self, last: EntryId, added: int) -> None:
        """Make a mark at the end of the stream, if enough has been added since the last one."""
        if self._newest is None:
            newest = await self.read(-1)
            self._newest = newest[0].added if newest else 0
        if added < self._newest:  # it is another stream
            await self.forget()
        if added >= (self._newest or 0) + _APART:
            await self._client.zadd(self._key, {str(last): added})
            await self._client.zremrangebyrank(self._key, 0, -_KEPT - 1)
            self._newest = added

    async def forget(self) -> None:
        """Forget the marks of a stream that is gone."""
        if self._newest != 0:
            await self._client.delete(self._key)
        self._newest = 0

    async def read(self, start: int = 0) -> list[Mark]:
        """The marks from this number on, ascending; a negative one counts from the end."""
        found: Any = await self._client.zrange(self._key, start, -1, withscores=True)
        return [Mark(EntryId.of(entry_id), int(added)) for entry_id, added in found]


def marks_between(marks: Sequence[Mark], begin: Mark, end: Mark) -> list[Mark]:
    """These marks in their order, between those of a stream's begin and end, which are exact."""
    within = [one for one in marks if begin < one < end and begin.added < one.added < end.added]
    return [begin, *within, end]


def around(marks: Sequence[Mark], entry_id: EntryId) -> tuple[Mark, Mark]:
    """The marks between which an id stands; at a mark, or outside of all, that mark twice."""
    after = bisect_right(marks, entry_id, key=lambda mark: mark.id)
    before, behind = marks[max(0, after - 1)], marks[min(after, len(marks) - 1)]
    return (before, before) if before.id == entry_id else (before, behind)


def evenly(before: Mark, behind: Mark, entry_id: EntryId) -> int:
    """How many had been added up to an id between two marks, as if they had come evenly."""
    span_ms = behind.id.ms - before.id.ms
    share = (entry_id.ms - before.id.ms) / span_ms if span_ms else 0.0
    return before.added + round(share * (behind.added - before.added))
