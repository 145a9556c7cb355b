"""Compares the warehouse with the stream, and loads a range of the stream again."""

from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import Struct
from redis.asyncio import Redis

from consumers.warehouse import event_rows
from consumers.warehouse.erased_rows import Erasures
from consumers.warehouse.other_event_rows import tables
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.stream_range import Range, StreamEntry, pages, standing
from consumers.warehouse.warehouse_thread import WarehouseThread
from gateway.contract import Streams

__all__ = ["MissingEvent", "StreamComparison", "backfill", "compare"]


class MissingEvent(Struct, frozen=True):
    """An event that the group is through with and that the warehouse lacks."""

    event_id: str
    partition: int
    entry_id: str
    received_at: str


class StreamComparison(Struct):
    """What a comparison has found; `waiting` events have not been handled yet."""

    compared: int = 0
    erased: int = 0
    waiting: int = 0
    missing: list[MissingEvent] = []


async def compare(
    warehouse: WarehouseThread, redis: Redis, streams: Streams, wanted: Range, *, group: str
) -> StreamComparison:
    """Look up each event of a range of the stream in the warehouse.

    Events that the group has not handled yet are not missing, nor are erased ones. Memory is
    bounded by a page. Raises Away.
    """
    found = StreamComparison()
    # Before anything else: what the group handles from now on is not missing either.
    standings = [await standing(redis, key, group) for key in streams.keys(wanted.stream)]
    erasures = Erasures(await warehouse.call(Warehouse.erasures))
    async for page in pages(redis, streams, wanted):
        found.compared += len(page)
        handled = []
        for entry in page:
            stands = standings[entry.partition]
            if stands is None or not stands.has_handled(entry):
                found.waiting += 1
            elif erasures.covers(entry.event):
                found.erased += 1
            else:
                handled.append(entry)
        if not handled:
            continue
        received = [entry.event.received_at for entry in handled]
        absent = await warehouse.call(
            Warehouse.absent,
            {entry.event.id for entry in handled},
            min(received),
            max(received),
        )
        found.missing += [
            MissingEvent(e.event.id, e.partition, e.id, e.event.receivedat)
            for e in handled
            if e.event.id in absent
        ]
    return found


async def backfill(
    warehouse: WarehouseThread,
    redis: Redis,
    streams: Streams,
    wanted: Range,
    *,
    told: Callable[[int], None],
    unfit: Callable[[event_rows.Unfit], None],
) -> int:
    """Load a range of the stream again; returns how many events. `told` hears of each page.

    Rows that are there are replaced by the same ones. An event that fits in no row is left out, and
    `unfit` hears of it. Runs beside the consumer. Raises Away.
    """
    count = 0
    async for page in pages(redis, streams, wanted):
        left = page
        while left:
            try:
                count += await warehouse.call(_load, left)
            except event_rows.Unfit as error:
                unfit(error)
                left = [entry for entry in left if entry.event.id != error.event_id]
            else:
                break
        told(count)
    return count


def _load(warehouse: Warehouse, page: list[StreamEntry]) -> int:
    comments, others = tables(page, loaded_at=datetime.now(UTC))
    return warehouse.load(comments, others)
