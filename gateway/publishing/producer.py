"""Numbers batches for Redis, and stores them: on their stream, else in the spool."""

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any

import structlog
from uuid_utils import uuid7

from gateway import metrics
from gateway.balance.ledger import Ledger
from gateway.contract import Streams
from gateway.publishing.batch import Batch, Stored
from gateway.publishing.errors import CannotStore, SpoolUnavailable, StreamUnavailable
from gateway.publishing.outage import SharedOutage
from gateway.publishing.spool.batch_file import SpooledBatch
from gateway.publishing.spool.store import Spool
from gateway.publishing.stream_writer import StreamWriter

__all__ = ["Producer", "PublishingOutages"]

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

    def forget(self, partition: int) -> None:
        """A partition has no troubles any more: it is a former one."""
        self.redis.passed(partition)
        self.spool.passed(partition)


class Producer:
    """Stores the batches of one partition, each when it is known what became of the one before.

    `on_sealed` is called when the partition turns out to be a former one; what comes still waits in
    the spool, from where it is carried to where it belongs.

    Redis takes a lower number than the last one for a batch that it has. So a producer that has
    spooled becomes a new one before it writes to Redis again: what it left in the spool is still
    taken, whenever it comes and whatever happened to the spool meanwhile.
    """

    def __init__(
        self,
        partition: int,
        writer: StreamWriter,
        spool: Spool,
        streams: Streams,
        outages: PublishingOutages,
        *,
        ledger: Ledger,
        deadline_s: float,
        holds_back: Callable[[int], bool],
        on_sealed: Callable[[], None],
    ) -> None:
        self._partition = partition
        self._below = streams.in_force.start  # of former partitions
        self._on_sealed = on_sealed
        self._writer = writer
        self._spool = spool
        self._streams = streams
        self._outages = outages
        self._ledger = ledger
        self._deadline_s = deadline_s
        self._holds_back = holds_back
        self._is_in_trouble = False  # until a batch is on its stream again
        self._become_new()

    @property
    def memory(self) -> str:
        """The key at which Redis remembers the last batch."""
        return self._memory

    def is_undisturbed(self) -> bool:
        """Whether a batch has nothing to do but to go to its stream."""
        return not (self._is_in_trouble or self._has_backlog() or self._holds_back(self._partition))

    def number(self, batch: Batch) -> None:
        """Give a batch the number that it has to Redis, unless it was sent under one before.

        One that it only had on its way to the spool, which did not take it, is no number for
        Redis: what waits in the spool has lower ones, and would be taken for stored.
        """
        if batch.left_at:
            return
        if self._has_spooled:
            self._become_new()
        self._sequence += 1
        batch.sequence = self._sequence

    async def store(self, batch: Batch) -> Stored:
        """Store a batch, which may have been sent under its number before; where it is then.

        Raises CannotStore.
        """
        self._is_in_trouble = True
        has_backlog = self._has_backlog()
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
            if error.reason == "sealed":
                return await self._to_spool_to_be_carried(batch)
            return await self._to_spool_instead(batch, error)
        self._outages.redis.passed(self._partition)
        if not has_backlog:
            self._outages.spool.passed(self._partition)
            self._is_in_trouble = False
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

    async def _to_spool_to_be_carried(self, batch: Batch) -> Stored:
        """Put a batch in the spool that is to go to the partitions that there are from now on."""
        self._on_sealed()
        try:
            return await self._to_spool(batch)
        except SpoolUnavailable as error:
            raise CannotStore("spool_" + error.reason) from error

    def _has_backlog(self) -> bool:
        return self._spool.has_backlog(self._partition, below=self._below)

    async def _to_stream(self, batch: Batch) -> Stored:
        self.number(batch)
        batch.left_at = batch.left_at or perf_counter()
        ids = await self._write(batch)
        batch.publish_s = perf_counter() - batch.left_at
        log.debug("batch published", partition=self._partition, entries=ids.decode())
        return Stored.STREAM

    def _become_new(self) -> None:
        self._producer_id = str(uuid7())
        self._memory = self._streams.producer(self._partition, self._producer_id)
        self._sequence = 0
        self._has_spooled = False

    async def _write(self, batch: Batch) -> bytes:
        """Write, and once more if the connection was lost: the script makes that safe."""
        first = ""
        left_s = batch.left_at + self._deadline_s - perf_counter()
        try:
            async with asyncio.timeout(left_s):
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
            with self._ledger.spooling(len(batch.events)):
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
