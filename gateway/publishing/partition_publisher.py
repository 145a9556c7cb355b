"""Stores the events of one partition in batches: on its stream, else in the spool.

Batching is natural: while one batch is on its way, the next one fills; there is no timer, and an
event that comes alone waits for nobody. As long as nothing is unusual, batches go the direct way,
without a task; what does not go that way, and what did not end well on it, is the task's.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

from gateway.background import Background
from gateway.balance.ledger import Ledger
from gateway.publishing.batch import Batch, Stored, Waiter
from gateway.publishing.batch_figures import BatchFigures
from gateway.publishing.batch_spans import BatchSpans
from gateway.publishing.direct_way import DirectWay
from gateway.publishing.errors import CannotStore
from gateway.publishing.producer import Producer
from gateway.publishing.stream_writer import StreamWriter

__all__ = ["PartitionPublisher"]

log: Any = structlog.get_logger(__name__)


class PartitionPublisher:
    """Stores the batches of one partition, one after the other."""

    def __init__(
        self,
        partition: int,
        writer: StreamWriter,
        producer: Producer,
        *,
        ledger: Ledger,
        deadline_s: float,
        on_taken: Callable[[int], None],
        spans: BatchSpans | None,
    ) -> None:
        self._partition = partition
        self._writer = writer
        self._producer = producer
        self._on_taken = on_taken
        self._spans = spans
        self._figures = BatchFigures(ledger)
        self._waiting: deque[Batch] = deque()
        self._in_doubt: Batch | None = None  # the task has to find out what became of it
        self._is_storing = False  # the task is
        self._is_sparse = False  # the last batch was one event
        self._tells_all = False
        self._has_work = asyncio.Event()  # for the task
        self._is_closing = False
        self._is_held = False
        self._direct = DirectWay(writer, deadline_s=deadline_s, on_end=self._settle_directly)
        # Begun anew at once: requests wait, and the batch that it failed with has been answered.
        self._publishing = Background(
            self._run, name=f"publisher lane {partition}", begins_anew=True, longest_pause_s=0.0
        )

    def add(self, event: bytes, waiter: Waiter | None = None) -> Batch:
        """Put an event, and who is to be told of it, into the batch that fills; returns that."""
        is_new = not self._waiting or self._waiting[-1].is_full
        if is_new:
            self._waiting.append(Batch())
        batch = self._waiting[-1]
        batch.events.append(event)
        if waiter is not None:
            batch.waiters.append(waiter)
        if is_new and not self._is_busy:
            if waiter is None:
                self._has_work.set()
            elif self._is_sparse:
                self._go_on()
            else:  # those that are read in this turn go with it
                asyncio.get_running_loop().call_soon(self._go_on)
        return batch

    def start(self) -> None:
        """Start storing what is added."""
        self._tells_all = log.is_enabled_for(logging.DEBUG)
        self._publishing.start()

    def hold(self) -> None:
        """Store nothing until `release`: older events are on their way by other partitions."""
        self._is_held = True

    def release(self) -> None:
        """Store what was added meanwhile, and what comes."""
        self._is_held = False
        self._go_on()

    async def close(self) -> None:
        """Store what was added, and end."""
        self._is_held = False
        self._is_closing = True
        self._has_work.set()
        try:
            await self._publishing.finish()
        finally:
            # Only if it was cut off, or has failed just now.
            for batch in (self._direct.batch, self._in_doubt, *self._waiting):
                if batch is not None:
                    self._fail(batch, CannotStore("internal"))
            self._waiting.clear()
            self._direct.close()
            self._figures.observe()
        await self._writer.close()

    @property
    def _is_busy(self) -> bool:
        """Whether a batch is under way, or none may be yet; then the next one leaves afterwards."""
        if self._is_held or self._is_storing:
            return True
        return self._direct.batch is not None or self._in_doubt is not None

    def _go_on(self) -> None:
        """Send the oldest batch that waits, or have the task store it."""
        if self._is_busy:
            return
        if self._waiting:
            try:
                if self._leaves_directly(self._waiting[0]):
                    return
            except Exception:
                log.exception("a batch did not go the direct way")
        if self._waiting or self._is_closing:
            self._has_work.set()

    def _leaves_directly(self, batch: Batch) -> bool:
        """Send a batch without the task, if nothing is unusual; whether it was sent."""
        if self._is_closing or not batch.has_only_waiters or not self._producer.is_undisturbed():
            return False
        self._producer.number(batch)
        if not self._direct.begin(self._producer.memory, batch):
            return False
        self._waiting.popleft()
        self._on_taken(len(batch.events))
        return True

    def _settle_directly(self, batch: Batch, ids: bytes | None) -> None:
        if ids is None:
            self._in_doubt = batch
            self._has_work.set()
            return
        try:
            batch.settle(Stored.STREAM)
            self._figures.stored(batch, Stored.STREAM)
            self._is_sparse = len(batch.events) == 1
            if self._tells_all:
                log.debug("batch published", partition=self._partition, entries=ids.decode())
        finally:
            self._go_on()

    async def _run(self) -> None:
        while True:
            if self._is_held and not self._is_closing:
                self._has_work.clear()
                await self._has_work.wait()
            elif self._in_doubt is not None or (self._waiting and self._direct.batch is None):
                await self._take_up()
            elif self._is_closing and self._direct.batch is None:
                return
            else:
                self._has_work.clear()
                await self._has_work.wait()

    async def _take_up(self) -> None:
        """Store the batch that is in doubt, else the oldest that waits."""
        self._is_storing = True
        try:
            batch = self._in_doubt
            if batch is None:
                await self._gathered()
                batch = self._waiting.popleft()
                self._on_taken(len(batch.events))
            await self._settle(batch)
        finally:
            self._in_doubt, self._is_storing = None, False
            self._go_on()

    async def _settle(self, batch: Batch) -> None:
        """Store a batch, and let the requests that wait for it know; they do, whatever happens."""
        try:
            if self._spans is None:
                stored = await self._producer.store(batch)
            else:
                stored = await self._spans.around(batch, self._partition, self._producer.store)
            batch.settle(stored)
            self._figures.stored(batch, stored)
        except CannotStore as error:
            self._fail(batch, error)
        finally:
            if not batch.is_settled:
                self._fail(batch, CannotStore("internal"))

    def _fail(self, batch: Batch, error: CannotStore) -> None:
        self._figures.refused(batch, error.reason)
        batch.fail(error)

    async def _gathered(self) -> None:
        """Let the requests that are being read now get into the batch.

        They arrive together and take a few turns of the event loop from socket to here, so the
        batch is complete when a turn adds nothing to it. Nobody waits for a clock. Those that have
        a waiter take none: all that were read in the same turn are here.
        """
        batch, events = self._waiting[0], 0
        if batch.has_only_waiters:
            return
        while events < len(batch.events) and not batch.is_full:
            events = len(batch.events)
            await asyncio.sleep(0)
