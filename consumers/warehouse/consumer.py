"""Loads batches of the stream as a consumer, by a process of its own that does the loading."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from opentelemetry.trace import SpanKind

from consumers import Consumer, Entry, Partition, Reject, Transient
from consumers.warehouse import metrics
from consumers.warehouse.destination import Destination, destination
from consumers.warehouse.destination_errors import DestinationAway, Unusable
from consumers.warehouse.loading_messages import Load, Opening, Prepare, RawEntry
from consumers.warehouse.loading_process import LoadFailed, LoadingProcess, ProcessDied, RowUnfit
from gateway.contract import EntryId
from gateway.errors import GatewayError, OperatorError
from gateway.settings import Settings
from gateway.spans import span

__all__ = ["GROUP", "Loader", "consumer_of"]

log = structlog.get_logger()

GROUP = "warehouse"

_MAX_BYTES: Final = 5 << 20
"""JSON of one load: 10,000 events without texts are 4.5 MB; each byte costs several in memory."""

_ANSWER_S: Final = 300.0
"""A load takes a second or two; a minute where the destination has much else to do."""
_IDLE_S: Final = 60.0
"""To begin a process takes half a second of CPU time, and 100 MB as long as it runs."""
_BRIDGED_S: Final = 60.0
"""A destination that is started anew is back by then; at what lasts longer somebody has to look."""


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
        "bitrix24.*",
        max_events=options.max_events,
        max_wait_s=options.max_wait_s,
        max_bytes=_MAX_BYTES,
        across_partitions=True,
    )(loader.load)
    return consumer


class Loader:
    """Loads what the runtime hands over, and says whether the destination takes it."""

    def __init__(self, settings: Settings, target: Destination) -> None:
        self._settings = settings
        self._target = target
        self._process: LoadingProcess | None = None
        self._told: str | None = None
        self._failing_since: dict[int, float] = {}
        self._died_at: dict[int, str] = {}

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Have a process to load with, and the tables made if the destination can be reached.

        One that is away stops nothing: the first load tries again. Raises OperatorError for tables
        of a newer release, and for a destination that takes nothing until somebody changes
        something there.
        """
        opening = Opening(warehouse=self._settings.warehouse, log=self._settings.log)
        self._process = LoadingProcess(opening, idle_s=_IDLE_S)
        try:
            try:
                await self._process.call(Prepare(), within_s=_ANSWER_S)
            except Unusable as error:
                raise OperatorError(f"[warehouse] destination: {error}") from error
            except DestinationAway as error:
                self._tell_away(error)
            yield
        finally:
            await self._process.close()

    @asynccontextmanager
    async def partition_lifespan(self, partition: Partition) -> AsyncIterator[None]:
        """Forget how loads of a partition went when another process has it."""
        try:
            yield
        finally:
            self._failing_since.pop(partition.number, None)
            self._died_at.pop(partition.number, None)

    def why_not_ready(self) -> str | None:
        """None unless the loads of a partition have failed for a minute, however often tried."""
        if not self._failing_since:
            return None
        lasts_s = time.monotonic() - min(self._failing_since.values())
        if lasts_s < _BRIDGED_S:
            return None
        return f"{self._target.label} has taken no rows for {lasts_s:.0f} s: {self._told}"

    async def load(self, entries: Sequence[Entry]) -> None:
        """Load entries of any partitions; their rows are committed when it returns.

        Raises Transient while the destination is away, Reject for an event that fits in no row, and
        LoadFailed for entries with which the loading process has died twice, one time after the
        other: then it is they, and the runtime looks for which of them.
        """
        assert self._process is not None, "within the lifespan"  # noqa: S101
        began = time.monotonic()
        raw = [RawEntry(one.stream, one.partition, one.id, one.raw) for one in entries]
        firsts = {one.partition: one.id for one in reversed(entries)}
        lasts = {one.partition: one for one in entries}
        try:
            with span("load events", SpanKind.CLIENT, self._told_of(len(raw))):
                count = await self._process.call(Load(raw), within_s=_ANSWER_S)
        except RowUnfit as error:
            raise Reject(str(error)) from error
        except (DestinationAway, OperatorError) as error:
            if isinstance(error, ProcessDied):
                self._count_death(firsts, error)
            for partition in lasts:
                self._failing_since.setdefault(partition, began)
            self._tell_away(error)
            raise Transient(str(error)) from error
        took_s = time.monotonic() - began
        for partition in lasts:
            self._failing_since.pop(partition, None)
            self._died_at.pop(partition, None)
        if self._told is not None:
            log.info("destination is back", destination=self._target.label)
            self._told = None
        metrics.IS_AWAY.set(0)
        metrics.LOADED.inc(count)
        metrics.TOOK.observe(took_s)
        metrics.LAST_LOAD.set_to_current_time()
        metrics.NEWEST_EVENT.set(max(one.event.received_at.timestamp() for one in entries))
        for last in lasts.values():
            position_s = EntryId.of(last.id).ms / 1000
            metrics.POSITION.labels(last.stream, last.partition).set(position_s)
        log.info(
            "batch loaded",
            partitions=len(lasts),
            events=len(entries),
            rows=count,
            took_s=round(took_s, 3),
        )

    def _told_of(self, count: int) -> dict[str, str | int]:
        """What the span of a load says: https://opentelemetry.io/docs/specs/semconv/database/."""
        kind = self._target.kind
        return {
            "db.system.name": "postgresql" if kind == "postgres" else kind,
            "db.operation.name": "load",
            "db.operation.batch.size": count,
        }

    def _count_death(self, firsts: Mapping[int, str], death: ProcessDied) -> None:
        """Raise LoadFailed if the process has died before at a load from one of these entries on.

        Given is the first entry of each partition in the load.
        """
        again = [one for one, first in firsts.items() if self._died_at.get(one) == first]
        self._died_at.update(firsts)
        if again:
            raise LoadFailed(f"twice in a row {death}") from death

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
