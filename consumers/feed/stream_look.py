"""Asks Redis how a partition of the stream stands, for the feed. Only reads."""

from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from consumers.feed.cursor import ReadPlace
from consumers.feed.lost_entries import LostReason, StreamEnds, why_lost
from gateway.contract import EntryId
from gateway.redis_access.entry_count import CountedStream, count_entries
from gateway.redis_access.stream_information import stream_information

__all__ = ["LookedPlace", "ends_of", "has_entry", "looked_at", "newest_entries"]

_PAGE: Final = 100


class LookedPlace(Struct, frozen=True):
    """Whether entries may be missing behind a place, and then where to go on."""

    reason: LostReason | None
    resume: ReadPlace


async def ends_of(client: Redis, key: str) -> StreamEnds:
    """Where a stream begins and ends; of one that is not there, nowhere."""
    info = await stream_information(client, key)
    if info is None:
        return StreamEnds()
    return StreamEnds.of(info)


async def has_entry(client: Redis, key: str, entry_id: EntryId) -> bool:
    """Whether an entry is on a stream."""
    found: Any = await client.xrange(key, str(entry_id), str(entry_id), count=1)
    return bool(found)


async def looked_at(client: Redis, stream: CountedStream, place: ReadPlace) -> LookedPlace:
    """Look whether somebody who has read up to a place can go on from there.

    If not, they may go on before the first entry that there is; or, of a stream that has forgotten
    what they read, behind the last entry up to that place which it still knows.
    """
    key = stream.key
    ends = await ends_of(client, key)
    is_there = await has_entry(client, key, place.id)
    reason = why_lost(place, ends, is_there=is_there)
    if reason is None:
        return LookedPlace(None, place)
    if reason == "forgotten":
        known: Any = await client.xrevrange(key, str(place.id), "-", count=1)
        if known:
            known_id = EntryId.of(known[0][0])
            behind = await count_entries(client, stream, f"({known_id}", "+")
            return LookedPlace(reason, ReadPlace(known_id, max(0, ends.added - behind.count)))
    return LookedPlace(reason, ends.oldest)


async def newest_entries(
    client: Redis, key: str, ends: StreamEnds, *, within_ms: int, max_bytes: int
) -> list[tuple[bytes, dict[bytes, bytes]]]:
    """The newest entries up to the end of a stream, in its order: those of so many milliseconds
    before it, and of about so many bytes in memory at most.
    """
    found: list[tuple[bytes, dict[bytes, bytes]]] = []
    size, upper = 0, str(ends.last)
    lower = str(max(0, ends.last.ms - within_ms))
    while size < max_bytes and ends.added:
        page: Any = await client.xrevrange(key, upper, lower, count=_PAGE)
        found += page
        size += sum(2 * len(value) + 300 for _, fields in page for value in fields.values())
        if len(page) < _PAGE:
            break
        upper = f"({page[-1][0].decode()}"
    found.reverse()
    return found
