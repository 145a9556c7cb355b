"""Puts the events of a set-aside spool file back, those that never got to their stream.

By when a file is recovered Redis has long forgotten its batches, so events are told apart by their
ids: what is on its stream, or waits in the spool of today, is left out. Recovering a file twice
therefore publishes nothing twice.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct
from uuid_utils import uuid7

from gateway.contract import EVENT_FIELD, EntryId, Streams
from gateway.errors import OperatorError
from gateway.publishing.batch import MAX_EVENTS
from gateway.publishing.spool.batch_file import SpooledBatch, SpoolFile
from gateway.publishing.spool.corrupt_file import salvage

__all__ = ["Recovery", "recover"]

_MARGIN_MS: Final = 3_600_000
# A batch may have been written before it was spooled, and the clocks of two machines differ.
_PAGE: Final = 1000


class Recovery(Struct, frozen=True, kw_only=True):
    """What a recovery found, in events but for `damaged`, which counts batches."""

    found: int
    already_published: int
    put_back: int
    damaged: int


class _Id(Struct):
    id: str


_id_of = msgspec.json.Decoder(_Id).decode


async def recover(
    file: Path, spool: SpoolFile, redis: Any, streams: Streams, *, even_if_trimmed: bool
) -> Recovery:
    """Put what is missing of `file` into the spool, from where a receiver publishes it.

    Nothing tells whether an event was published if its stream has been trimmed up to that time:
    then raises OperatorError, unless `even_if_trimmed`.
    """
    salvaged = salvage(file)
    missing: list[SpooledBatch] = []
    found = 0
    for partition in sorted({batch.partition for batch in salvaged.batches}):
        batches = [batch for batch in salvaged.batches if batch.partition == partition]
        events = [event for batch in batches for event in batch.events]
        found += len(events)
        # The spool first: an event leaves it only when it is on its stream.
        known = _ids(event for batch in spool.all_of(partition) for event in batch.events)
        since_ms = min(batch.spooled_at_ms for batch in batches) - _MARGIN_MS
        for place in _places(streams, partition):
            key = streams.key("events", place)
            if not even_if_trimmed:
                await _refuse_if_trimmed(redis, key, since_ms)
            known |= await _ids_since(redis, key, since_ms)
        missing += _batches(partition, [event for event in events if _id_of(event).id not in known])
    if missing:
        spool.append(missing)
    put_back = sum(len(batch.events) for batch in missing)
    return Recovery(
        found=found,
        already_published=found - put_back,
        put_back=put_back,
        damaged=salvaged.damaged,
    )


def _places(streams: Streams, partition: int) -> list[int]:
    """The partitions on which events of one may be: also those of the layouts that came after."""
    later = [layout for layout in streams.layouts if layout.start > partition]
    return [partition, *(number for layout in later for number in layout)]


def _batches(partition: int, events: Sequence[bytes]) -> list[SpooledBatch]:
    producer = str(uuid7())
    chunks = [events[start : start + MAX_EVENTS] for start in range(0, len(events), MAX_EVENTS)]
    return [
        SpooledBatch(partition, producer, sequence, list(chunk))
        for sequence, chunk in enumerate(chunks, start=1)
    ]


def _ids(events: Iterable[bytes]) -> set[str]:
    return {_id_of(event).id for event in events}


async def _ids_since(redis: Any, key: str, since_ms: int) -> set[str]:
    ids: set[str] = set()
    start = str(since_ms)
    while entries := await redis.xrange(key, min=start, count=_PAGE):
        ids |= _ids(fields[EVENT_FIELD] for _, fields in entries)
        start = "(" + entries[-1][0].decode()
    return ids


async def _refuse_if_trimmed(redis: Any, key: str, since_ms: int) -> None:
    if not await redis.exists(key):
        return
    info = await redis.xinfo_stream(key)
    is_whole = info["entries-added"] == info["length"]
    first = info["first-entry"]
    if is_whole or (first and EntryId.of(first[0]).ms < since_ms):
        return
    raise OperatorError(
        f"{key} has been trimmed, so that nothing tells which of the file's events were "
        "published; --even-if-trimmed publishes those that are not there"
    )
