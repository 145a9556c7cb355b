"""The warehouse consumer: batches of the stream, loaded on one thread of their own."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import structlog

from consumers import Consumer, Entry, Reject, Transient
from consumers.warehouse import metrics, rows
from consumers.warehouse.database import Away, Database
from consumers.warehouse.destination import Destination, destination
from consumers.warehouse.loading import NewerTables, Warehouse
from consumers.warehouse.workspace import Workspace
from gateway.settings import Settings

__all__ = ["GROUP", "WarehouseThread", "consumer_of", "opened"]

log = structlog.get_logger()

GROUP = "warehouse"

_MAX_BYTES: Final = 5 << 20
"""JSON of one load: 10,000 events without texts are 4.5 MB; each byte costs several in memory."""

_Result = TypeVar("_Result")


class WarehouseThread:
    """The warehouse, whose calls block, on a thread of its own: one call at a time, in order."""

    def __init__(self, warehouse: Warehouse, thread: ThreadPoolExecutor) -> None:
        self._warehouse = warehouse
        self._thread = thread

    async def call(self, method: Callable[..., _Result], *arguments: object) -> _Result:
        """The result of `method(warehouse, *arguments)`; not stopped by cancelling."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, partial(method, self._warehouse, *arguments)
        )


@asynccontextmanager
async def opened(settings: Settings, target: Destination) -> AsyncIterator[WarehouseThread]:
    """The warehouse of the settings; nothing of this process stays behind. Connects to nothing."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1, "warehouse") as thread:
        # dlt keeps its context for each thread.
        workspace = await loop.run_in_executor(thread, Workspace, Path(settings.warehouse.work_dir))
        warehouse = Warehouse(
            Database(target, dataset=settings.warehouse.dataset, workspace=workspace)
        )
        try:
            yield WarehouseThread(warehouse, thread)
        finally:
            await loop.run_in_executor(thread, warehouse.close)
            await loop.run_in_executor(thread, workspace.close)


def consumer_of(settings: Settings) -> Consumer:
    """The consumer that loads into the destination of the settings. Raises BadDestination."""
    options = settings.warehouse
    loader = Loader(settings, destination(options.destination))
    consumer = Consumer(group=GROUP, stream=options.stream, lifespan=loader.lifespan)
    consumer.on_batch(
        "bitrix24.crm.timeline.comment.*",
        max_events=options.max_events,
        max_wait_s=options.max_wait_s,
        max_bytes=_MAX_BYTES,
    )(loader.load)
    return consumer


class Loader:
    """What the runtime calls."""

    def __init__(self, settings: Settings, target: Destination) -> None:
        self._settings = settings
        self._target = target
        self._warehouse: WarehouseThread | None = None

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Hold the warehouse open, its tables made if it can be reached. Raises NewerTables.

        A destination that is away stops nothing: the first load tries again.
        """
        async with opened(self._settings, self._target) as self._warehouse:
            try:
                await self._warehouse.call(Warehouse.prepare)
            except Away as error:
                metrics.IS_AWAY.set(1)
                log.warning("destination is away", destination=self._target.label, error=str(error))
            yield

    async def load(self, entries: Sequence[Entry]) -> None:
        """Load entries of one partition; their rows are committed when it returns.

        Raises Transient while the destination is away, and Reject for an event that fits in no row.
        """
        assert self._warehouse is not None, "within the lifespan"  # noqa: S101
        began = time.monotonic()
        try:
            count, newest = await self._warehouse.call(_load, entries)
        except rows.Unfit as error:
            raise Reject(str(error)) from error
        except (Away, NewerTables) as error:
            metrics.IS_AWAY.set(1)
            raise Transient(str(error)) from error
        took_s = time.monotonic() - began
        last = entries[-1]
        metrics.IS_AWAY.set(0)
        metrics.LOADED.inc(count)
        metrics.TOOK.observe(took_s)
        metrics.LAST_LOAD.set_to_current_time()
        metrics.NEWEST_EVENT.set(newest)
        metrics.POSITION.labels(last.stream, last.partition).set(
            int(last.id.partition("-")[0]) / 1000
        )
        log.info(
            "batch loaded",
            partition=last.partition,
            events=len(entries),
            rows=count,
            took_s=round(took_s, 3),
        )


def _load(warehouse: Warehouse, entries: Sequence[Entry]) -> tuple[int, float]:
    """How many rows were loaded, and when the newest event was received (seconds)."""
    count = warehouse.load(rows.table(entries, loaded_at=datetime.now(UTC)))
    return count, max(entry.event.received_at.timestamp() for entry in entries)
