"""Stores the events of one partition in batches: on its stream, else in the spool.

Batching is natural: while one batch is on its way, the next one fills; there is no timer, and an
event that comes alone waits for nobody.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any

import structlog
from uuid_utils import uuid7

from gateway import metrics
from gateway.background import Background
from gateway.contract import Streams
from gateway.publishing.batch import Batch, Stored
from gateway.publishing.errors import CannotStore, SpoolUnavailable, StreamUnavailable
from gateway.publishing.outage import SharedOutage
from gateway.publishing.spool.batch_file import SpooledBatch
from gateway.publishing.spool.store import Spool
from gateway.publishing.stream_writer import StreamWriter

__all__ = ["PartitionPublisher", "PublishingOutages"]

log: Any = structlog.get_logger(__name__)


class PublishingOutages:
    """Tells of the troubles of all partitions, which have one Redis and one spool.

    In a cluster one may be well while another is not.
    """

    def __init__(self) -> None:
        self.redis = SharedOutage(level="warning", ends="redis takes batches again")
        self.spool = SharedOutage(
            level="error", ends="the spool takes batches again, or has none to take"
        )


class PartitionPublisher:
    """Stores the batches of one partition, one after the other.

    To Redis it is a producer that numbers its batches, and Redis takes a lower number than the
    last one for a batch that it has. So one that has spooled becomes a new producer before it
    writes to Redis again: what it left in the spool is still taken, whenever it comes and
    whatever happened to the spool meanwhile.
    """

    def __init__(
        self,
        partition: int,
        writer: StreamWriter,
        spool: Spool,
        streams: Streams,
        outages: PublishingOutages,
        *,
        deadline_s: float,
        on_taken: Callable[[int], None],
        holds_back: Callable[[int], bool],
    ) -> None:
        self._partition = partition
        self._writer = writer
        self._spool = spool
        self._streams = streams
        self._outages = outages
        self._become_new_producer()
        self._deadline_s = deadline_s
        self._on_taken = on_taken
        self._holds_back = holds_back
        self._waiting: deque[Batch] = deque()
        self._has_work = asyncio.Event()
        self._is_closing = False
        # Begun anew at once: requests wait, and the batch that it failed with has been answered.
        self._publishing = Background(
            self._run, name=f"publisher lane {partition}", begins_anew=True, longest_pause_s=0.0
        )

    def add(self, event: bytes) -> Batch:
        """Put an event into the batch that fills; returns that batch."""
        if not self._waiting or self._waiting[-1].is_full:
            self._waiting.append(Batch())
            self._has_work.set()
        batch = self._waiting[-1]
        batch.events.append(event)
        return batch

    def start(self) -> None:
        """Start storing what is added."""
        self._publishing.start()

    async def close(self) -> None:
        """Store what was added, and end."""
        self._is_closing = True
        self._has_work.set()
        try:
            await self._publishing.finish()
        finally:
            while self._waiting:  # only if it was cut off, or has failed just now
                self._waiting.popleft().fail(CannotStore("internal"))
        await self._writer.close()

    async def _run(self) -> None:
        while True:
            while not self._waiting:
                if self._is_closing:
                    return
                self._has_work.clear()
                await self._has_work.wait()
            await self._gathered()
            await self._settle(self._waiting.popleft())

    async def _settle(self, batch: Batch) -> None:
        """Store a batch, and let the requests that wait for it know; they do, whatever happens."""
        try:
            self._on_taken(len(batch.events))
            stored = await self._store(batch)
            batch.settle(stored)
            self._count(batch, stored)
        except CannotStore as error:
            batch.fail(error)
        finally:
            if not batch.is_settled:
                batch.fail(CannotStore("internal"))

    async def _gathered(self) -> None:
        """Let the requests that are being read now get into the batch.

        They arrive together and take a few turns of the event loop from socket to here, so the
        batch is complete when a turn adds nothing to it. Nobody waits for a clock. Those that have
        a waiter take none: all that were read in the same turn are here.
        """
        batch, events = self._waiting[0], 0
        if len(batch.waiters) == len(batch.events):
            return
        while events < len(batch.events) and not batch.is_full:
            events = len(batch.events)
            await asyncio.sleep(0)

    def _count(self, batch: Batch, stored: Stored) -> None:
        """Once per batch: observing each event would cost as much as reading it."""
        metrics.STORED_EVENTS.labels(stored).inc(len(batch.events))
        metrics.STORE_SECONDS.observe(perf_counter() - batch.opened_at)
        metrics.BATCH_EVENTS.observe(len(batch.events))
        if batch.waiters:
            metrics.FAST_LANE_EVENTS.inc(len(batch.waiters))

    async def _store(self, batch: Batch) -> Stored:
        has_backlog = self._spool.has_backlog(self._partition)
        if has_backlog or self._holds_back(self._partition):
            try:
                return await self._to_spool(batch)  # behind the older events that wait there
            except SpoolUnavailable as error:
                if has_backlog and error.reason not in {"full", "busy"}:
                    raise CannotStore("spool_" + error.reason) from error
            # There is no room there: order, and sparing Redis, give way to storing.
        try:
            stored = await self._to_stream(batch)
        except StreamUnavailable as error:
            return await self._to_spool_instead(batch, error)
        self._outages.redis.passed(self._partition)
        if not has_backlog:
            self._outages.spool.passed(self._partition)
        return stored

    async def _to_spool_instead(self, batch: Batch, error: StreamUnavailable) -> Stored:
        metrics.PUBLISH_FAILURES.labels(error.reason).inc()
        what_became = "nor did the spool: its events are answered 503"
        try:
            stored = await self._to_spool(batch)
            what_became = "it goes to the spool"
        except SpoolUnavailable as spool_error:
            raise CannotStore("spool_" + spool_error.reason) from spool_error
        finally:
            self._outages.redis.meets(
                f"redis did not take a batch; {what_became}",
                self._partition,
                events=len(batch.events),
                partition=self._partition,
                reason=error.reason,
                error=error.detail,
            )
        return stored

    async def _to_stream(self, batch: Batch) -> Stored:
        if self._has_spooled:
            self._become_new_producer()
        self._sequence += 1
        batch.sequence = self._sequence
        started = perf_counter()
        ids = await self._write(batch)
        metrics.PUBLISH_SECONDS.observe(perf_counter() - started)
        log.debug("batch published", partition=self._partition, entries=ids.decode())
        return Stored.STREAM

    def _become_new_producer(self) -> None:
        self._producer_id = str(uuid7())
        self._memory = self._streams.producer(self._partition, self._producer_id)
        self._sequence = 0
        self._has_spooled = False

    async def _write(self, batch: Batch) -> bytes:
        """Write, and once more if the connection was lost: the script makes that safe."""
        first = ""
        try:
            async with asyncio.timeout(self._deadline_s):
                try:
                    return await self._writer.write(self._memory, batch.sequence, batch.events)
                except StreamUnavailable as error:
                    if error.reason != "away":
                        raise
                    first = f"; before that {error.detail}"
                return await self._writer.write(self._memory, batch.sequence, batch.events)
        except TimeoutError as error:
            raise StreamUnavailable("away", f"no answer in {self._deadline_s} s{first}") from error

    async def _to_spool(self, batch: Batch) -> Stored:
        if not batch.sequence:  # it was not sent to Redis under a number before
            self._sequence += 1
            batch.sequence = self._sequence
        self._has_spooled = True
        try:
            await self._spool.append(
                SpooledBatch(self._partition, self._producer_id, batch.sequence, batch.events)
            )
        except SpoolUnavailable as error:
            self._outages.spool.meets(
                "the spool did not take a batch",
                self._partition,
                events=len(batch.events),
                partition=self._partition,
                error=str(error),
            )
            raise
        self._outages.spool.passed(self._partition)
        log.debug("batch spooled", partition=self._partition, events=len(batch.events))
        return Stored.SPOOL
