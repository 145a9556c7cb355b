"""Wires together all by which a receiver process makes events durable."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Self

from redis.asyncio import Redis

from gateway.balance.bookkeeper import Bookkeeper
from gateway.balance.hours import HourRecord, keep_hour
from gateway.balance.ledger import Ledger
from gateway.balance.ledger_choice import choose_ledger
from gateway.balance.sheet import Balance
from gateway.heartbeats.process_report import SpoolState
from gateway.history.recorder import HistoryRecorder
from gateway.partitioning.known_counts import KnownCounts
from gateway.partitioning.partition_follower import PartitionFollower
from gateway.publishing.balance_event import BalanceEvents, event_id_of
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.memory_gate import MemoryGate
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.drainer import Drainer
from gateway.publishing.spool.reports import SpoolReporter
from gateway.publishing.spool.store import Spool
from gateway.publishing.stream_writer import stream_writer
from gateway.redis_access.connections import FAILURES
from gateway.retention.keeper import Retention
from gateway.settings import Settings
from gateway.web.readiness import Readiness

__all__ = ["Storage"]


class Storage:
    """Holds the publisher, the spool behind it with its drainer, and what keeps room on the
    streams.

    `start` before the first event. After the last request has been taken, `stop_draining`, and
    `close` when all of them are answered.
    """

    def __init__(
        self,
        settings: Settings,
        control: Redis,
        spool: Spool,
        ledger: Ledger,
        partitions: PartitionFollower,
    ) -> None:
        redis, publish = settings.redis, settings.publish
        directory = Path(settings.spool.dir)
        self._spool = spool
        self._ledger = ledger
        self._directory, self._max_bytes = directory.absolute(), settings.spool.max_bytes
        self._gate = MemoryGate(
            control, redis.streams, max_share=settings.retention.max_memory_share
        )
        self._retention = Retention(control, redis.streams, settings.retention)
        self._reporter = SpoolReporter(control, directory, prefix=redis.prefix)
        self._drainer = Drainer(
            spool,
            directory,
            redis.streams,
            partial(stream_writer, redis, publish),
            ledger,
            reporter=self._reporter,
            deadline_s=publish.deadline_s,
            holds_back=self._gate.is_closed,
            on_sealed=partitions.hurry,
        )
        self.publisher = Publisher(
            redis,
            publish,
            spool,
            ledger,
            holds_back=self._gate.is_closed,
            on_sealed=partitions.hurry,
        )
        self._partitions = partitions
        partitions.calls(self.publisher.adopt)
        self._control, self._prefix = control, redis.prefix
        self._balance_events = BalanceEvents(redis, publish)
        self._bookkeeper = Bookkeeper(
            control,
            redis.streams,
            self._directory,
            spool_id=self._reporter.spool_id,
            in_spool=self._count_in_spool,
            leads=lambda: self._drainer.leads,
            keep=self._keep_hour,
            looked=HistoryRecorder(control, prefix=redis.prefix).record,
        )
        self.readiness = Readiness(control, self.publisher, spool)

    @classmethod
    async def open(cls, settings: Settings, control: Redis) -> Self:
        """With the spool of the settings; raises OperatorError if its directory cannot be used."""
        directory, redis = Path(settings.spool.dir), settings.redis
        spool = await Spool.open(directory, max_bytes=settings.spool.max_bytes)
        try:
            in_spool: int | None = (await spool.totals())[0]
        except SpoolUnavailable:  # of which the drainer tells
            in_spool = None
        ledger = choose_ledger(directory, in_spool=in_spool)
        known = KnownCounts(directory, prefix=redis.prefix)
        partitions = PartitionFollower(control, redis.streams, known=known)
        await partitions.open()
        return cls(settings, control, spool, ledger, partitions)

    def start(self) -> None:
        """Start all of it."""
        for part in (
            *(self.publisher, self._partitions, self._drainer, self._gate),
            *(self._retention, self._bookkeeper),
        ):
            part.start()

    async def spool_state(self) -> SpoolState | None:
        """How the spool is; None if it cannot be read, of which the drainer tells."""
        try:
            events, size, oldest_ms = await self._spool.totals()
            set_aside = await self._spool.set_aside_count()
        except SpoolUnavailable:
            return None
        return SpoolState(
            id=self._reporter.spool_id,
            directory=str(self._directory),
            events=events,
            bytes=size,
            max_bytes=self._max_bytes,
            oldest_ms=oldest_ms,
            set_aside=set_aside,
        )

    async def _keep_hour(self, hour: str, balance: Balance) -> None:
        """Record the balance of an hour; repeated until it is on the stream, where it is once."""
        record = HourRecord(event_id=event_id_of(self._prefix, hour), balance=balance)
        kept = await keep_hour(self._control, self._prefix, hour, record)
        await self._balance_events.publish(hour, kept)

    async def _count_in_spool(self) -> int:
        events, _size, _oldest_ms = await self._spool.totals()
        return events

    async def stop_draining(self) -> None:
        """End what nobody who sent an event waits for."""
        await asyncio.gather(
            self._partitions.close(),
            self._drainer.close(),
            self._gate.close(),
            self._retention.close(),
            self._bookkeeper.close(),
        )

    async def close(self) -> None:
        """Store what was accepted, and tell others of what stays in the spool."""
        await self.publisher.close()
        with suppress(SpoolUnavailable):
            await self._reporter.leave(await self._spool.measure())
            with suppress(*FAILURES):  # what is not reported is reported by the next receiver here
                await self._bookkeeper.report_once()
        await self._spool.close()
        self._ledger.close()
        await self._balance_events.close()
