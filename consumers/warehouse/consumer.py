"""Loads batches of the stream as a consumer, on one thread of their own."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from consumers import Consumer, Entry, Partition, Reject, Transient
from consumers.warehouse import event_rows, metrics
from consumers.warehouse.destination import Destination, destination
from consumers.warehouse.destination_errors import DestinationAway, Unusable
from consumers.warehouse.dlt_database import Database
from consumers.warehouse.dlt_workspace import Workspace
from consumers.warehouse.row_loading import Warehouse
from consumers.warehouse.warehouse_thread import CallThread, WarehouseThread
from gateway.contract import EntryId
from gateway.errors import GatewayError, OperatorError
from gateway.settings import Settings

__all__ = ["GROUP", "consumer_of", "opened"]

log = structlog.get_logger()

GROUP = "warehouse"

_MAX_BYTES: Final = 5 << 20
"""JSON of one load: 10,000 events without texts are 4.5 MB; each byte costs several in memory."""

_ANSWER_S: Final = 300.0
"""A load takes a second or two; a minute where the destination has much else to do."""
_CLOSING_S: Final = 5.0
_BRIDGED_S: Final = 60.0
"""A destination that is started anew is back by then; at what lasts longer somebody has to look."""


@asynccontextmanager
async def opened(settings: Settings, target: Destination) -> AsyncIterator[WarehouseThread]:
    """The warehouse of the settings; nothing of this process stays behind. Connects to nothing."""
    thread = CallThread("warehouse")
    try:
        # dlt keeps its context for each thread.
        workspace = await thread.call(Workspace, Path(settings.warehouse.work_dir))
        database = Database(target, dataset=settings.warehouse.dataset, workspace=workspace)
        warehouse = Warehouse(database)
        try:
            yield WarehouseThread(warehouse, thread)
        finally:
            # What still hangs is left to the end of the process.
            with suppress(DestinationAway):
                await thread.call(warehouse.close, within_s=_CLOSING_S)
                await thread.call(workspace.close, within_s=_CLOSING_S)
    finally:
        thread.end()


def consumer_of(settings: Settings) -> Consumer:
    """The consumer that loads into the destination of the settings. Raises BadDestination."""
    options = settings.warehouse
    loader = Loader(settings, destination(options.destination))
    consumer = Consumer(
        group=GROUP,
        stream=options.stream,
        lifespan=loader.lifespan,
        partition_lifespan=loader.partition_lifespan,
        why_not_ready=loader.why_not_ready,
    )
    consumer.on_batch(
        "bitrix24.crm.timeline.comment.*",
        max_events=options.max_events,
        max_wait_s=options.max_wait_s,
        max_bytes=_MAX_BYTES,
    )(loader.load)
    return consumer


class Loader:
    """Loads what the runtime hands over, and says whether the destination takes it."""

    def __init__(self, settings: Settings, target: Destination) -> None:
        self._settings = settings
        self._target = target
        self._warehouse: WarehouseThread | None = None
        self._told: str | None = None
        self._failing_since: dict[int, float] = {}

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Hold the warehouse open, its tables made if it can be reached.

        A destination that is away stops nothing: the first load tries again. Raises NewerTables,
        and OperatorError for one that takes nothing until somebody changes something there.
        """
        async with opened(self._settings, self._target) as self._warehouse:
            try:
                await self._warehouse.call(Warehouse.prepare, within_s=_ANSWER_S)
            except Unusable as error:
                raise OperatorError(f"[warehouse] destination: {error}") from error
            except DestinationAway as error:
                self._tell_away(error)
            yield

    @asynccontextmanager
    async def partition_lifespan(self, partition: Partition) -> AsyncIterator[None]:
        """Forget how loads of a partition went when another process has it."""
        try:
            yield
        finally:
            self._failing_since.pop(partition.number, None)

    def why_not_ready(self) -> str | None:
        """None unless the loads of a partition have failed for a minute, however often tried."""
        if not self._failing_since:
            return None
        lasts_s = time.monotonic() - min(self._failing_since.values())
        if lasts_s < _BRIDGED_S:
            return None
        return f"{self._target.label} has taken no rows for {lasts_s:.0f} s: {self._told}"

    async def load(self, entries: Sequence[Entry]) -> None:
        """Load entries of one partition; their rows are committed when it returns.

        Raises Transient while the destination is away, and Reject for an event that fits in no row.
        """
        assert self._warehouse is not None, "within the lifespan"  # noqa: S101
        began = time.monotonic()
        try:
            count, newest = await self._warehouse.call(_load, entries, within_s=_ANSWER_S)
        except event_rows.Unfit as error:
            raise Reject(str(error)) from error
        except (DestinationAway, OperatorError) as error:
            self._failing_since.setdefault(entries[-1].partition, began)
            self._tell_away(error)
            raise Transient(str(error)) from error
        took_s = time.monotonic() - began
        last = entries[-1]
        self._failing_since.pop(last.partition, None)
        if self._told is not None:
            log.info("destination is back", destination=self._target.label)
            self._told = None
        metrics.IS_AWAY.set(0)
        metrics.LOADED.inc(count)
        metrics.TOOK.observe(took_s)
        metrics.LAST_LOAD.set_to_current_time()
        metrics.NEWEST_EVENT.set(newest)
        position_s = EntryId.of(last.id).ms / 1000
        metrics.POSITION.labels(last.stream, last.partition).set(position_s)
        log.info(
            "batch loaded",
            partition=last.partition,
            events=len(entries),
            rows=count,
            took_s=round(took_s, 3),
        )

    def _tell_away(self, error: GatewayError) -> None:
        """Say once for each cause that it cannot be loaded, and whether that passes by itself."""
        metrics.IS_AWAY.set(1)
        if str(error) == self._told:
            return
        self._told = str(error)
        if isinstance(error, DestinationAway) and not isinstance(error, Unusable):
            log.warning("destination is away", destination=self._target.label, error=str(error))
        else:
            log.error("destination refuses", destination=self._target.label, error=str(error))


def _load(warehouse: Warehouse, entries: Sequence[Entry]) -> tuple[int, float]:
    """How many rows were loaded, and when the newest event was received (seconds)."""
    count = warehouse.load(event_rows.table(entries, loaded_at=datetime.now(UTC)))
    return count, max(entry.event.received_at.timestamp() for entry in entries)
