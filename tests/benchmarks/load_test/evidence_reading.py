"""Reads out of Redis what became of a load: its entries, and how far each group is with them."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct, json
from redis.asyncio import Redis

from gateway.contract import EntryId, Streams
from gateway.drill.fault_ledger import StoredEvent, stored_event
from gateway.redis_access.stream_information import group_rows, stream_information
from gateway.sandbox.portal import PortalIdentity
from tests.benchmarks.load_test.accounting import GroupProgress
from tests.benchmarks.load_test.load_portal import is_of_load
from tests.benchmarks.load_test.verifying_service import GROUP
from tests.support.eventually import eventually

__all__ = [
    "LoadedEntry",
    "added_to",
    "ends_of",
    "entries_of_load",
    "is_through",
    "last_entries",
    "progress_of",
    "until_through",
]

_PAGE: Final = 1_000
_NOTHING: Final = "0-0"


class LoadedEntry(Struct, frozen=True):
    """An entry of a load, and where it stands."""

    id: str
    entry: StoredEvent


async def ends_of(redis: Redis, streams: Streams) -> dict[str, str]:
    """The id of the last entry that each partition of both streams has ever had."""
    ends = {}
    for key in _keys(streams):
        about = await stream_information(redis, key)
        ends[key] = about["last-generated-id"].decode() if about else _NOTHING
    return ends


async def added_to(redis: Redis, streams: Streams, stream: str) -> int:
    """How many entries a stream has ever had."""
    found = [await stream_information(redis, key) for key in streams.keys(stream)]
    return sum(about["entries-added"] for about in found if about)


async def last_entries(redis: Redis, streams: Streams, stream: str) -> dict[str, EntryId]:
    """The last entry that each partition of a stream has now; those that have none are left out."""
    found = {}
    for key in streams.keys(stream):
        about = await stream_information(redis, key)
        if about and about["last-entry"]:
            found[key] = EntryId.of(about["last-entry"][0].decode())
    return found


async def entries_of_load(
    redis: Any, key: str, after: str, portal: PortalIdentity
) -> list[LoadedEntry]:
    """The entries behind an id that are of this portal's load, in their order."""
    found, mark = [], portal.member_id.encode()
    while page := await redis.xrange(key, f"({after}", "+", count=_PAGE):
        for entry_id, fields in page:
            raw = fields.get(b"event", b"")
            if mark in raw and b'"comment_id"' in raw:
                entry = stored_event(raw)
                if is_of_load(entry.comment_id):
                    found.append(LoadedEntry(entry_id.decode(), entry))
        after = page[-1][0].decode()
    return found


async def progress_of(
    redis: Any, streams: Streams, loaded: dict[str, list[LoadedEntry]]
) -> list[GroupProgress]:
    """What each group has left of the load; `loaded` are its entries by key."""
    found = []
    for stream, partition, key in _places(streams):
        at = {one.id: one.entry.event_id for one in loaded.get(key, [])}
        for row in await group_rows(redis, key):
            group, delivered = row["name"].decode(), EntryId.of(row["last-delivered-id"].decode())
            if group == GROUP:
                continue
            pending: Any = await redis.xpending_range(key, group, "-", "+", count=len(at) + 1)
            in_hand = [one["message_id"].decode() for one in pending]
            dead: Any = await redis.xrange(streams.dead(group, partition))
            dead_ids = {json.decode(fields[b"event"])["id"] for _, fields in dead}
            found.append(
                GroupProgress(
                    group=group,
                    stream=stream,
                    unread=tuple(event for one, event in at.items() if EntryId.of(one) > delivered),
                    in_hand=tuple(at[one] for one in in_hand if one in at),
                    dead=tuple(event for event in at.values() if event in dead_ids),
                )
            )
    return found


async def until_through(redis: Redis, streams: Streams, *, timeout_s: float) -> bool:
    """Wait until all groups have handled what is on the streams now, and what they make of it.

    The verifying group, for which nobody works yet, is not waited for. False if that takes longer.
    """
    try:
        for stream in ("events", "comments"):
            for key, end in (await last_entries(redis, streams, stream)).items():

                async def are_through(key: str = key, end: EntryId = end) -> bool:
                    return await is_through(redis, key, end, but=GROUP)

                await eventually(are_through, timeout_s=timeout_s)
    except AssertionError:
        return False
    return True


async def is_through(redis: Any, key: str, end: EntryId, *, but: str = "", only: str = "") -> bool:
    """Whether groups of a stream have read up to an id and have nothing in hand up to it."""
    for row in await group_rows(redis, key):
        group = row["name"].decode()
        if group == but or (only and group != only):
            continue
        if EntryId.of(row["last-delivered-id"].decode()) < end:
            return False
        pending: Any = await redis.xpending(key, group)
        if pending["min"] and EntryId.of(pending["min"]) <= end:
            return False
    return True


def _places(streams: Streams) -> Iterator[tuple[str, int, str]]:
    for stream in ("events", "comments"):
        for partition in streams.numbers:
            yield stream, partition, streams.key(stream, partition)


def _keys(streams: Streams) -> Iterator[str]:
    return (key for _stream, _partition, key in _places(streams))
