"""Tells whether a chain holds what its group acknowledged, which its files alone cannot say.

Whoever can write to the disk can take the last records away together with the head that names
them, the whole directory, or put an older copy back. What is left is whole in itself. But the
group's position on the stream is kept elsewhere, and is then later than the end of the chain.
"""

from typing import Any, Final

from redis.asyncio import Redis

from consumers.audit.records import GapRecord
from gateway.contract import EVENT_FIELD, EntryId, InvalidEvent, Streams, decode_event
from gateway.errors import GatewayError
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING, failures_as
from gateway.redis_access.stream_information import group_rows

__all__ = ["CannotCompare", "find_gap"]

_PAGE: Final = 1000


class CannotCompare(GatewayError):
    """Redis did not say where the group stands; nothing must be written before it has."""


async def find_gap(
    redis: Redis, streams: Streams, stream: str, partition: int, *, group: str, newest: str
) -> GapRecord | None:
    """What the chain of a partition lacks, whose newest entry is `newest`; None if nothing.

    Call it as the owner of the partition, before the first of its entries is appended. Entries
    that are pending are not acknowledged, and what is no event has become a dead letter instead of
    a record; neither is missed. Reads that part of the stream once. Raises CannotCompare.
    """
    key = streams.key(stream, partition)
    unknown = f"the group's position on {key} is not known"
    with failures_as(lambda error: CannotCompare(f"{unknown}: {error}"), among=AWAY_OR_REFUSING):
        position = await _position(redis, key, group)
        if EntryId.of(position) <= EntryId.of(newest):
            return None
        count = await _count_missing(redis, key, group, newest, position)
        is_trimmed = await _is_trimmed(redis, key, newest, position)
        if count == 0 and (
            not is_trimmed or await _is_dead(redis, streams.dead(group, partition), position)
        ):
            return None
    return GapRecord(after=newest, until=position, count=count, is_all=not is_trimmed)


async def _position(redis: Redis, key: str, group: str) -> str:
    """The last entry that was delivered to the group; `0-0` where there is no group."""
    groups = await group_rows(redis, key)
    for one in groups:
        if one["name"] == group.encode():
            position: bytes = one["last-delivered-id"]
            return position.decode()
    return "0-0"


async def _count_missing(redis: Redis, key: str, group: str, after: str, until: str) -> int:
    """How many events on the stream were acknowledged behind `after`, up to `until`."""
    count = 0
    first = f"({after}"
    while True:
        entries: Any = await redis.xrange(key, first, until, count=_PAGE)
        if not entries:
            return count
        ids = [entry_id for entry_id, _fields in entries]
        pending: Any = await redis.xpending_range(
            key, group, min=ids[0], max=ids[-1], count=len(ids)
        )
        taken = {one["message_id"] for one in pending}
        count += sum(
            1
            for entry_id, fields in entries
            if entry_id not in taken and _is_event(fields.get(EVENT_FIELD))
        )
        first = f"({ids[-1].decode()}"


def _is_event(raw: bytes | None) -> bool:
    if raw is None:
        return False
    try:
        decode_event(raw)
    except InvalidEvent:
        return False
    return True


async def _is_trimmed(redis: Redis, key: str, after: str, until: str) -> bool:
    """Whether entries behind `after`, up to `until`, were trimmed, so that nobody can count them.

    What somebody deleted by its id (XDEL, as an erasure does) was not trimmed: the server keeps
    the highest such id. https://redis.io/docs/latest/commands/xinfo-stream/
    """
    info: Any = await redis.xinfo_stream(key)
    if info["entries-added"] == info["length"]:
        return False
    deleted: bytes = info["max-deleted-entry-id"]
    if EntryId.of(deleted) >= EntryId.of(until):
        return False
    first = info["first-entry"]
    return first is None or EntryId.of(first[0]) > EntryId.of(after)


async def _is_dead(redis: Redis, key: str, entry_id: str) -> bool:
    """Whether a dead letter of the group is about an entry."""
    first = "-"
    while True:
        letters: Any = await redis.xrange(key, first, "+", count=_PAGE)
        if not letters:
            return False
        if any(fields.get(b"entry_id") == entry_id.encode() for _letter_id, fields in letters):
            return True
        first = f"({letters[-1][0].decode()}"
