"""Runs one partition in the hands of this process, from the lease to its release.

Own are the entries in hand and the memory of the position; the server owns everything else, so
that whoever takes over finds it there. docs/decisions/0006-consumer-runtime.md says what happens
after a crash at each point.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from consumers.runtime.attempts import Attempts
from consumers.runtime.batches import Batches
from consumers.runtime.consumer import Consumer
from consumers.runtime.emission import Emission
from consumers.runtime.entry import Partition, Source
from consumers.runtime.gate import Circuit
from consumers.runtime.gatherings import Gatherings
from consumers.runtime.in_flight import InFlight
from consumers.runtime.intake import Intake
from consumers.runtime.joint_batches import JointBatches
from consumers.runtime.joint_calls import JointCalls
from consumers.runtime.lanes import Lanes
from consumers.runtime.lua_scripts import Acquired, LeaseNote
from consumers.runtime.pending_entries import OWNER
from consumers.runtime.reader import Reader, ReadPace
from consumers.runtime.retry_policy import RetryPolicy
from consumers.runtime.settlement import DeadLetterLimitReached, LeftPending, Settlement
from consumers.runtime.tenure import Tenure
from gateway.background import owned
from gateway.errors import OperatorError
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.settings import ConsumersSettings

__all__ = ["OwnedPartition"]

log = structlog.get_logger()

Work = Lanes | Batches | JointBatches | Gatherings


class OwnedPartition:
    """Reads and handles until `close`; `gate` has to be extended with each renewal of the lease.

    `calls` are those of the process, of a consumer whose batches are of all its partitions.
    """

    def __init__(
        self,
        consumer: Consumer,
        tenure: Tenure,
        *,
        former: Acquired,
        connect: Callable[[str], Awaitable[Redis]],
        settings: ConsumersSettings,
        farewell_s: float,
        pace: Callable[[], ReadPace],
        calls: JointCalls | None = None,
    ) -> None:
        self.keys = tenure.keys
        self.epoch = tenure.epoch
        self.gate = tenure.gate
        self._consumer = consumer
        self._tenure = tenure
        self._in_flight = tenure.in_flight
        self._metrics = tenure.metrics
        self._settings = settings
        self._farewell_s = farewell_s
        self._pace = pace
        self._calls = calls
        self._reader = Reader(
            consumer,
            tenure,
            former=former if former.stream == consumer.stream else None,
            connect=connect,
            pace=pace,
        )
        self._attempts: Attempts | None = None

    @property
    def in_flight(self) -> InFlight:
        """The entries in hand."""
        return self._in_flight

    @property
    def kept(self) -> LeaseNote:
        """Where the group stands, for the next owner."""
        return self._reader.kept

    @property
    def is_connected(self) -> bool:
        """Whether the stream is being read."""
        return self._reader.is_connected

    @property
    def is_held(self) -> bool:
        """Whether the lease is valid by this process's own view; else no handler is started."""
        return self.gate.holds_for(0.0)

    @property
    def progressed_at(self) -> float:
        """When a read returned or an attempt ended last, by time.monotonic()."""
        ended_at = self._attempts.ended_at if self._attempts else 0.0
        return max(self._reader.stepped_at, ended_at)

    def observe(self) -> None:
        """Bring the gauges of this partition up to date."""
        self._metrics.of_partitions.works(
            self.keys.partition, in_hand=len(self._in_flight), is_paused=self.gate.is_paused
        )

    def close(self) -> None:
        """Start nothing any more; `run` returns when what is under way has ended."""
        self.gate.close()

    async def run(self) -> None:
        """Own the partition until `close`, or until something raises that nobody here can mend.

        Raises DeadLetterLimitReached, OperatorError, and what the service's own context raises.
        """
        async with self._consumer.partition_lifespan(Partition(self.keys.partition, self.epoch)):
            self._metrics.of_partitions.owns(self.keys.partition, self.epoch)
            settlement = Settlement(
                self._tenure,
                max_dead_letters=self._settings.max_dead_letters,
                emission=Emission(self._tenure) if self._consumer.output is not None else None,
            )
            work = self._work(settlement)
            is_in_order = True
            try:
                with suppress(LeftPending):
                    await self._read(work, settlement)
                with suppress(LeftPending):
                    await work.finish(self._settings.grace_s)
                await settlement.close(self._settings.grace_s / 4)
                settlement.check()
            except (DeadLetterLimitReached, OperatorError):
                raise
            except BaseException:
                # An entry in hand may be to blame, also for a cancellation, which is how a process
                # ends that exits within a handler. It has to count as one that ended a process, or
                # it would do so for ever.
                is_in_order = False
                raise
            finally:
                self.close()
                await settlement.close(self._settings.grace_s / 4)
                if is_in_order:
                    await self._give_back()
                self._metrics.of_partitions.owns(self.keys.partition, 0)

    async def _give_back(self) -> None:
        """Take this delivery off the counts of what is left: it ended no process.

        Else an entry that waits for something to come back would look, after a few releases of
        the service, like one that kills its processes.
        """
        try:
            async with asyncio.timeout(self._farewell_s):
                await self._give_back_from(self.keys.shared)
                await self._give_back_from(self.keys.redeliveries)
        except AWAY_OR_REFUSING as error:
            log.warning(
                "entries count as delivered once more", error=f"{type(error).__name__}: {error}"
            )

    async def _give_back_from(self, source: Source) -> None:
        for deliveries, ids in self._in_flight.left(source).items():
            lost = await self._tenure.scripts.give_back(
                (self.keys.lease, source.key),
                epoch=self.epoch,
                group=self.keys.group,
                consumer=OWNER,
                deliveries=deliveries,
                ids=ids,
            )
            if lost is None:
                return
            for entry_id in sorted(lost):
                self._metrics.lost("payload", 1)
                log.error("payload lost", stream=source.key, entry_id=entry_id.decode())

    def _work(self, settlement: Settlement) -> Work:
        consumer = self._consumer
        policy = RetryPolicy.of(consumer)
        self._attempts = attempts = Attempts(consumer, policy, settlement, self._metrics)
        if consumer.output is not None:
            return Gatherings(attempts.on_transform, consumer.transform_of, self.gate)
        if consumer.batch_handler is None:
            return Lanes(attempts.on_event, self.gate, Circuit(consumer.backoff))
        if self._calls is not None:
            return JointBatches(
                attempts.on_batch,
                self.gate,
                self._calls,
                by_itself=consumer.batch_handler.call,
            )
        return Batches(attempts.on_batch, self.gate, consumer.batch_handler)

    async def _read(self, work: Work, settlement: Settlement) -> None:
        intake = Intake(
            self._consumer,
            self._tenure,
            work=work,
            settlement=settlement,
            block_s=lambda: self._pace().block_s,
        )
        reading = owned(self._reader.run(intake), name="reading")
        closed = owned(self.gate.closed())
        try:
            await asyncio.wait((reading, closed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            self.close()
            await self._reader.unblock(reading, within_s=self._farewell_s)
        if not reading.cancelled():
            await reading
