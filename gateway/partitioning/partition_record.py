"""Keeps in Redis the numbers of partitions that an installation has had: it owns them, no setting.

    b24:partitions   hash: counts    "1,4,2": the numbers of partitions, the one in force last
                           next      the number that is to follow, or `abort`, while an operator's
                                     command is at it; since_ms is since when

The setting `[redis] partitions` is the number of a new installation, and of one that was made
before there was this record: the first receiver writes it down.
"""

from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway.contract import Streams
from gateway.redis_access import lua

__all__ = [
    "ABORT",
    "PartitionRecord",
    "adopt_record",
    "counts_of",
    "kept_counts",
    "note_next",
    "read_record",
    "text_of",
    "turn_next",
]

ABORT: Final = "abort"
"""Noted as next while a repartition is undone."""


class PartitionRecord(Struct, frozen=True):
    """What is on record; `counts` is empty before a receiver has run. `next` is as in Redis, and
    `since_ms` (Unix ms, by the clock of Redis) since when it is noted.
    """

    counts: tuple[int, ...] = ()
    next: str | None = None
    since_ms: int = 0


async def read_record(client: Redis, streams: Streams) -> PartitionRecord:
    """What is on record; raises one of connections.FAILURES."""
    asked: Any = client.hgetall(streams.record)
    found = await asked
    counts, following = found.get(b"counts"), found.get(b"next")
    return PartitionRecord(
        counts=counts_of(counts.decode()) if counts else (),
        next=following.decode() if following else None,
        since_ms=int(found.get(b"since_ms", 0)),
    )


async def adopt_record(client: Redis, streams: Streams) -> None:
    """Have the streams be those on record, as a short command needs them; as `read_record` raises.

    A user without the right to look has the number of the settings.
    """
    try:
        record = await read_record(client, streams)
    except NoPermissionError:
        return
    if record.counts:
        streams.adopt(record.counts)


async def kept_counts(client: Redis, streams: Streams) -> tuple[int, ...]:
    """Write the numbers of `streams` down, unless others are on record; those that are then.

    For receivers. Repeatable; what a server has lost of them, which was restored or failed over, is
    put back. Raises as `read_record`.
    """
    script = lua.script(client, "gateway.partitioning", "lua/keep_counts.lua")
    kept: Any = await script(keys=[streams.record], args=[text_of(streams.counts)])
    return counts_of(kept.decode())


async def note_next(client: Redis, streams: Streams, following: str) -> str:
    """Note a number that is to follow, or ABORT, unless something is noted; what is noted then."""
    script = lua.script(client, "gateway.partitioning", "lua/announce.lua")
    noted: Any = await script(keys=[streams.record], args=[following])
    return str(noted.decode())


async def turn_next(
    client: Redis, streams: Streams, noted: str, to: str = "", *, count: int | None = None
) -> bool:
    """Turn what is noted into something else, or into nothing; with a `count`, put that behind the
    numbers that `streams` have, in the same step. Whether that was noted, and these were they.
    """
    script = lua.script(client, "gateway.partitioning", "lua/turn.lua")
    added = "" if count is None else str(count)
    args = [noted, to, added, text_of(streams.counts)]
    return bool(await script(keys=[streams.record], args=args))


def text_of(counts: tuple[int, ...]) -> str:
    """Numbers of partitions as they stand on record."""
    return ",".join(map(str, counts))


def counts_of(text: str) -> tuple[int, ...]:
    """Numbers of partitions that stand on record."""
    return tuple(map(int, text.split(",")))
