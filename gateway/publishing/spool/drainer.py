"""Publishes what waits in the spool, oldest first, once Redis is back.

One of a machine's worker processes drains, the one that holds a file lock; the kernel gives the
lock to another one when it dies. A batch keeps the producer and the sequence number that it had
when Redis did not confirm it, so Redis recognises it if it was written after all; and it is
removed from the spool only when it is on its stream, so a crash at any point repeats it and
nothing more. Many small batches go in one call, which Redis carries out as a whole or not at all.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import structlog

from gateway import metrics
from gateway.background import Background
from gateway.balance.ledger import Ledger
from gateway.contract import Streams
from gateway.publishing.batch import MAX_EVENTS
from gateway.publishing.errors import SpoolUnavailable, StreamUnavailable
from gateway.publishing.outage import SharedOutage
from gateway.publishing.spool.batch_file import SpooledBatch
from gateway.publishing.spool.carrying import carry
from gateway.publishing.spool.reports import SpoolReporter
from gateway.publishing.spool.store import Spool
from gateway.publishing.stream_writer import NumberedBatch, StreamWriter

__all__ = ["Drainer"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 0.5
_RETRY_S: Final = (0.2, 0.5, 1.0, 2.0)
# How often Redis is tried while it is away: soon after a blip, and not often in an outage.


class Drainer:
    """Drains the spool of this machine while it holds the lock in `directory`, and tells of it.

    Events of a partition stay where they are while `holds_back` is true of it. Those of former
    partitions go first, to where they belong by now; `on_sealed` is called when a partition turns
    out to be a former one.
    """

    def __init__(
        self,
        spool: Spool,
        directory: Path,
        streams: Streams,
        writer_of: Callable[[int], StreamWriter],
        ledger: Ledger,
        *,
        reporter: SpoolReporter,
        deadline_s: float,
        holds_back: Callable[[int], bool],
        on_sealed: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_sealed = on_sealed
        self._ledger = ledger
        self._reporter = reporter
        self._deadline_s = deadline_s
        self._holds_back = holds_back
        self._spool = spool
        self._streams = streams
        self._writer_of = writer_of
        self._writers: dict[int, StreamWriter] = {}
        self._lock = os.open(
            directory / "drainer.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self.leads = False
        """Whether this process drains, of those that share the spool."""
        self._drained_count = 0  # since the spool was empty
        self._is_shrunk = False
        self._redis_fails = SharedOutage(
            level="warning", ends="redis is back: what waits in the spool is published"
        )
        self._spool_fails = SharedOutage(level="error", ends="the spool can be drained again")
        self._stopping = asyncio.Event()
        # What waits is on the disk, and new events are stored all the same.
        self._draining = Background(self._run, name="drainer", begins_anew=True)

    def start(self) -> None:
        """Start draining."""
        self._draining.start()

    async def close(self) -> None:
        """Finish with the batches in hand, and end."""
        self._stopping.set()
        await self._draining.finish()
        for writer in self._writers.values():
            await writer.close()
        os.close(self._lock)

    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            pause_s = _LOOK_S
            try:
                oldest_ms = await self._spool.measure()
                self.leads = self._is_leader()
                if self.leads:
                    pause_s = _LOOK_S
                    if oldest_ms or not self._is_shrunk:  # a spool at rest costs one look
                        pause_s = await self._drain_once()
                    # Of before: what has been drained since is on its stream, the rest is younger.
                    await self._reporter.tell(oldest_ms)
                failures = 0
                self._spool_fails.passed(self)
            except StreamUnavailable as error:
                if error.reason == "sealed":
                    self._on_sealed()
                pause_s = _RETRY_S[min(failures, len(_RETRY_S) - 1)]
                failures += 1
                self._redis_fails.meets("the spool waits for redis", self, error=str(error))
            except SpoolUnavailable as error:
                self._spool_fails.meets("the spool cannot be drained", self, error=str(error))
            await self._pause(pause_s)

    async def _drain_once(self) -> float:
        """Publish the oldest of each partition that has a backlog; returns how long to rest."""
        started = perf_counter()
        waiting = await self._spool.partitions()
        partitions = [partition for partition in waiting if not self._holds_back(partition)]
        if former := [one for one in waiting if self._streams.is_former(one)]:
            partitions = former[:1]  # the oldest layout first
        for partition in partitions:
            await self._drain_partition(partition)
        if waiting and not partitions:
            return _LOOK_S
        if not waiting:
            if self._drained_count:
                log.info("the spool is empty again", published_events=self._drained_count)
                self._drained_count = 0
            self._is_shrunk = await self._spool.shrink()
            return _LOOK_S
        self._is_shrunk = False
        # Half of the time at most: the other half belongs to the events that come in now.
        return perf_counter() - started

    async def _drain_partition(self, partition: int) -> None:
        """Publish as many events as a batch may have: what an append or Redis' other clients then
        wait for is no longer than for a full batch.
        """
        batches = await self._spool.oldest(partition, MAX_EVENTS)
        if not batches:
            return
        if self._streams.is_former(partition):
            await carry(batches, self._streams, self._write)
        elif None in await self._write(partition, batches):
            raise StreamUnavailable("sealed", "the number of partitions changes right now")
        self._redis_fails.passed(self)
        events = sum(len(batch.events) for batch in batches)
        with self._ledger.draining(events):
            await self._spool.remove(batches)
        self._drained_count += events
        metrics.DRAINED_EVENTS.inc(events)
        log.debug("spooled events published", partition=partition, events=events)

    async def _write(
        self, partition: int, batches: Sequence[SpooledBatch]
    ) -> Sequence[bytes | None]:
        if partition not in self._writers:
            self._writers[partition] = self._writer_of(partition)
        numbered = [
            NumberedBatch(
                self._streams.producer(partition, batch.producer), batch.sequence, batch.events
            )
            for batch in batches
        ]
        try:
            async with asyncio.timeout(self._deadline_s):
                return await self._writers[partition].write_all(numbered)
        except TimeoutError as error:
            raise StreamUnavailable("away", f"no answer in {self._deadline_s} s") from error

    def _is_leader(self) -> bool:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass
