"""Writes down all that Redis holds under the prefix, while everything goes on.

What belongs together is of one moment: a partition's streams, groups, pending entries and books
have one hash tag, and are read by one script. Partitions come before what their consumers keep
elsewhere: whoever acknowledges an entry has written its effect before, so nothing that is
acknowledged in the copy can be missing in it. The entries follow, up to where each stream was.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from redis.asyncio import Redis

from gateway.backup.key_records import (
    EntriesRecord,
    GroupRecord,
    KeyRecord,
    PendingRecord,
    RecordWriter,
    StreamRecord,
)
from gateway.redis_access import lua

__all__ = ["TRANSIENT", "capture", "key_names"]

TRANSIENT: Final = (b"processes", b"members:", b"drill:")
"""How the names begin of what only says which processes live, and of what belongs to a drill: not
written down, and no reason not to put something back."""

_SOURCE: Final = lua.source("gateway.backup", "capture.lua")
_TAG: Final = re.compile(rb"\{([^}]+)\}")
_SCAN: Final = 1000
_PAGE: Final = 500
_AT_ONCE: Final = 2000
"""Keys of one call, which takes some milliseconds. Apart from snapshots and the like, which nothing
else hangs on, a partition has fewer."""
_BY_THEMSELVES: Final = (b"snapshot:",)


async def key_names(redis: Redis, prefix: str) -> list[bytes]:
    """The names of all keys under the prefix, without it, that are not transient; in order."""
    skipped = len(prefix) + 1
    names = {key[skipped:] async for key in redis.scan_iter(match=f"{prefix}:*", count=_SCAN)}
    return sorted(name for name in names if not name.startswith(TRANSIENT))


async def capture(redis: Redis, prefix: str, writer: RecordWriter) -> None:
    """Write down all keys. Raises one of connections.FAILURES, and OSError of the writer."""
    for names in _together(await key_names(redis, prefix)):
        for stream in await _capture_some(redis, prefix, names, writer):
            writer.write(stream)
            await _capture_entries(redis, prefix, stream, writer)


def _together(names: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Names that are read by one call: those of one tag; partitions first, then what has none."""
    by_tag: dict[bytes, list[bytes]] = defaultdict(list)
    for name in names:
        tag = _TAG.search(name)
        by_tag[tag[1] if tag else b""].append(name)
    for of in sorted(by_tag, key=lambda one: (not one.isdigit(), one)):
        some = iter(sorted(by_tag[of], key=lambda one: (one.startswith(_BY_THEMSELVES), one)))
        if not of:  # in a cluster each is in a slot of its own
            yield from ([one] for one in some)
            continue
        while page := list(islice(some, _AT_ONCE)):
            yield page


async def _capture_some(
    redis: Redis, prefix: str, names: Sequence[bytes], writer: RecordWriter
) -> list[StreamRecord]:
    """Write down keys as they are at one moment, but for streams, which are returned."""
    keys = [f"{prefix}:".encode() + name for name in names]
    asked: Any = redis.eval_ro(_SOURCE, len(keys), *keys)
    streams = []
    for name, (kind, left_ms, values, now_ms) in zip(names, await asked, strict=True):
        if kind == b"none":
            continue
        if kind == b"stream":
            streams.append(_stream(name, values, now_ms))
            continue
        record = KeyRecord(
            name=name,
            kind=kind.decode(),
            expires_at_ms=now_ms + left_ms if left_ms >= 0 else None,
            values=values,
        )
        writer.write(record)
    return streams


def _stream(name: bytes, values: Sequence[Any], now_ms: int) -> StreamRecord:
    last_id, entries_added, max_deleted_id, groups = values
    return StreamRecord(
        name=name,
        last_id=last_id,
        entries_added=entries_added,
        max_deleted_id=max_deleted_id,
        groups=[
            GroupRecord(
                name=group,
                last_delivered_id=delivered_id,
                entries_read=entries_read,
                pending=[
                    PendingRecord(
                        id=entry_id,
                        consumer=consumer,
                        delivered_at_ms=now_ms - idle_ms,
                        deliveries=deliveries,
                    )
                    for entry_id, consumer, idle_ms, deliveries in pending
                ],
            )
            for group, delivered_id, entries_read, pending in groups
        ],
    )


async def _capture_entries(
    redis: Redis, prefix: str, stream: StreamRecord, writer: RecordWriter
) -> None:
    client: Any = redis
    key, begin = f"{prefix}:".encode() + stream.name, b"-"
    while True:
        page = await client.xrange(key, begin, stream.last_id, count=_PAGE)
        if page:
            entries = [
                (entry_id, [one for pair in fields.items() for one in pair])
                for entry_id, fields in page
            ]
            writer.write(EntriesRecord(name=stream.name, entries=entries))
        if len(page) < _PAGE:
            return
        begin = b"(" + page[-1][0]
