"""Reads a range of a stream beside the consumer group, page by page, without consuming it."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, cast

from msgspec import Struct
from redis.asyncio import Redis

from consumers.warehouse.other_event_rows import is_loaded
from gateway.contract import EVENT_FIELD, EntryId, Event, InvalidEvent, Streams, decode_event
from gateway.partitioning.partition_record import adopt_record
from gateway.redis_access.stream_information import group_rows

__all__ = ["PAGE", "GroupPosition", "Range", "StreamEntry", "pages", "standing"]

PAGE: Final = 10_000
"""Entries of a page at most."""
_MAX_BYTES: Final = 5 << 20
"""JSON of a page, as of a load of the consumer; one entry may be larger."""
_FIRST: Final = 500

_Page = list[tuple[bytes, dict[bytes, bytes]]]


class Range(Struct, frozen=True, kw_only=True):
    """What reached a stream from `since` until before `until`.

    Without `until`, up to the entry of each partition that is the last one on asking.
    """

    stream: str
    since: datetime
    until: datetime | None


class StreamEntry(Struct, frozen=True, kw_only=True):
    """An event that becomes a row, and where it stands on the stream."""

    stream: str
    partition: int
    id: str
    event: Event

    @property
    def place(self) -> EntryId:
        """The id as the value by which entries are ordered."""
        return EntryId.of(self.id)


class GroupPosition(Struct, frozen=True):
    """How far a group is on a partition: what it was given last, and what it still works on."""

    last_delivered: EntryId
    pending: frozenset[EntryId]

    def has_handled(self, entry: StreamEntry) -> bool:
        """Whether the group says that it is through with this entry."""
        return entry.place <= self.last_delivered and entry.place not in self.pending


async def pages(redis: Redis, streams: Streams, wanted: Range) -> AsyncIterator[list[StreamEntry]]:
    """All events of a range that become rows, in pages of one partition, in order.

    A page has up to `PAGE` entries, and about 5 MB of JSON if their sizes stay as they are from one
    page to the next. Other events are left out. `streams` are told of all partitions.
    """
    await adopt_record(redis, streams)
    for partition in streams.numbers:
        key = streams.key(wanted.stream, partition)
        start = str(_first_from(wanted.since))
        last = f"({_first_from(wanted.until)}" if wanted.until else await _last(redis, key)
        count = _FIRST
        while page := await _page(redis, key, start, last, count):
            yield [
                StreamEntry(
                    stream=wanted.stream, partition=partition, id=entry_id.decode(), event=event
                )
                for entry_id, fields in page
                if (event := _event(fields)) is not None
            ]
            start = f"({page[-1][0].decode()}"
            count = _next_count(page)


async def standing(redis: Redis, key: str, group: str) -> GroupPosition | None:
    """How far the group has come; None if the stream or the group does not exist."""
    for found in await group_rows(redis, key):
        if found["name"] == group.encode():
            pending: Any = await redis.xpending_range(
                key, group, "-", "+", max(1, found["pending"])
            )
            return GroupPosition(
                EntryId.of(found["last-delivered-id"]),
                frozenset(EntryId.of(entry["message_id"]) for entry in pending),
            )
    return None


async def _last(redis: Redis, key: str) -> str:
    found: Any = await redis.xrevrange(key, count=1)
    return found[0][0].decode() if found else "0-0"


async def _page(redis: Redis, key: str, start: str, last: str, count: int) -> _Page:
    page: Any = await redis.xrange(key, start, last, count)
    return cast("_Page", page)


def _next_count(page: _Page) -> int:
    """How many entries of the size of these make a page."""
    size_bytes = sum(len(value) for _, fields in page for value in fields.values())
    return max(1, min(PAGE, _MAX_BYTES * len(page) // max(1, size_bytes)))


def _event(fields: dict[bytes, bytes]) -> Event | None:
    try:
        event = decode_event(fields.get(EVENT_FIELD, b""))
    except InvalidEvent:
        return None  # a dead letter by now: no row can come of it
    return event if is_loaded(event) else None


def _first_from(moment: datetime) -> EntryId:
    return EntryId(int(moment.timestamp() * 1000))
