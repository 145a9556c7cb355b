"""Decides whether somebody who has read up to a place would miss entries if they went on. Pure.

The id of an entry does not say which one came before it. But the server counts all entries that
were ever added, and a place knows the number of its entry: what is gone has to have a lower one.
https://redis.io/docs/latest/commands/xinfo-stream/
"""

from typing import Any, Literal

from msgspec import Struct

from consumers.feed.cursor import ReadPlace
from gateway.contract import EntryId

__all__ = ["LostReason", "StreamEnds", "why_lost"]

LostReason = Literal["trimmed", "forgotten"]
"""`trimmed`: entries that come next were removed, for their time was over. `forgotten`: Redis does
not know what was read, as after a failover that lost entries, or when the stream was made anew."""


class StreamEnds(Struct, frozen=True, kw_only=True):
    """Where a stream begins and ends. `first` is None if it has no entries, `added` counts all that
    were ever added, `max_deleted` is the highest id that was deleted from its midst.
    """

    first: EntryId | None = None
    last: EntryId = EntryId(0)
    max_deleted: EntryId = EntryId(0)
    length: int = 0
    added: int = 0

    @classmethod
    def of(cls, info: Any) -> "StreamEnds":
        """From the answer to `XINFO STREAM`."""
        first = info["first-entry"]
        return cls(
            first=EntryId.of(first[0]) if first else None,
            last=EntryId.of(info["last-generated-id"]),
            max_deleted=EntryId.of(info["max-deleted-entry-id"]),
            length=int(info["length"]),
            added=int(info["entries-added"]),
        )

    @property
    def newest(self) -> ReadPlace:
        """Behind all entries."""
        return ReadPlace(self.last, self.added)

    @property
    def oldest(self) -> ReadPlace:
        """Before the first entry that there is."""
        if self.first is None:
            return self.newest
        return ReadPlace(self.first.previous, self.added - self.length)


def why_lost(place: ReadPlace, ends: StreamEnds, *, is_there: bool) -> LostReason | None:
    """Why entries may be missing behind a place; None if none are.

    `is_there` says whether the entry of the place is still on the stream: whoever finds it there
    may go on. Entries that were erased on request are not missed. Of a place whose own entry is
    gone, entries that were erased behind it count as trimmed.
    """
    if is_there:
        return None
    if ends.last < place.id or ends.added < place.number:
        return "forgotten"
    if place.id == ends.last:
        return None
    if ends.first is None or place.id < ends.first:
        # All up to the place are gone: as many as its number says, if they were of this stream.
        removed = ends.added - ends.length
        if removed == place.number:
            return None
        return "trimmed" if removed > place.number else "forgotten"
    # In the midst of the stream: it was erased there, or never was there.
    return None if place.id <= ends.max_deleted else "forgotten"
