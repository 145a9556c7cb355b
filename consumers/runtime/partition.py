"""Runs one partition in the hands of this process, from the lease to its release.

Own are the entries in hand and the memory of the position; the server owns everything else, so
that whoever takes over finds it there. docs/decisions/0006-consumer-runtime.md says what happens
after a crash at each point.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog

from consumers.runtime.attempts import Attempts
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivered_entries import DeliveredEntries
from consumers.runtime.delivery_counts import give_back
from consumers.runtime.emission import Emission
from consumers.runtime.entry import HeldEntry, Partition
from consumers.runtime.hand_room import Fill
from consumers.runtime.intake import Intake
from consumers.runtime.intervening import Intervening
from consumers.runtime.joint_calls import JointCalls
from consumers.runtime.joint_reading import JointConnection
from consumers.runtime.lanes import Lanes
from consumers.runtime.lua_scripts import Acquired, LeaseNote
from consumers.runtime.reader import Reader, ReadPace
from consumers.runtime.reader_connection import ReaderConnection
from consumers.runtime.retry_policy import RetryPolicy
from consumers.runtime.settlement import DeadLetterLimitReached, LeftPending, Settlement
from consumers.runtime.tenure import Tenure
from consumers.runtime.work import Work, work_of
from gateway.background import owned
from gateway.contract import STRUCK
from gateway.errors import OperatorError
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.settings import ConsumersSettings

__all__ = ["OwnedPartition"]

log = structlog.get_logger()


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
        connection: ReaderConnection | JointConnection,
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
            connection=connection,
            pace=pace,
        )
        self._attempts: Attempts | None = None
        self._working: Work | None = None
        self.gate.hold(is_on=tenure.wishes.whole is not None)

    @property
    def fill(self) -> Fill:
        """How much is in hand."""
        return self._in_flight.fill

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
        wishes, in_flight = self._tenure.wishes, self._in_flight
        self._metrics.of_partitions.works(
            self.keys.partition,
            in_hand=len(in_flight),
            parked=in_flight.delivered_count - len(in_flight),
            is_failing=self.gate.is_paused,
        )
        self._metrics.of_partitions.paused(
            self.keys.partition,
            as_a_whole=wishes.whole is not None,
            in_part=bool(wishes.partial),
        )

    def intervene(self) -> None:
        """Follow what an operator wants now, which is something else than before."""
        if self._working is not None:
            self._working.sweep()
        self._in_flight.look_through_parked()
        self.gate.hold(is_on=self._tenure.wishes.whole is not None)

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
            intervening = self._intervening(settlement)
            self._working = work = self._work(settlement, intervening)
            is_in_order = True
            try:
                with suppress(LeftPending):
                    await self._read(work, settlement, intervening)
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
                for source in (self.keys.shared, self.keys.redeliveries):
                    await give_back(self._tenure, source, self._in_flight.left(source))
                    await give_back(self._tenure, source, self._in_flight.parking.uncounted(source))
        except AWAY_OR_REFUSING as error:
            log.warning(
                "entries count as delivered once more", error=f"{type(error).__name__}: {error}"
            )

    def _intervening(self, settlement: Settlement) -> Intervening:
        async def strike(held: HeldEntry, what: str) -> None:
            await settlement.bury_held(
                held,
                reason=STRUCK,
                error=f"an operator struck it: {what}",
                traceback="",
                attempts=held.entry.attempt - 1,
            )

        return Intervening(self._tenure.wishes, self._in_flight, strike)

    def _work(self, settlement: Settlement, intervening: Intervening) -> Work:
        consumer = self._consumer
        policy = RetryPolicy.of(consumer)

        def is_crowded() -> bool:
            return isinstance(work, Lanes) and 2 * work.postponed_count > consumer.max_in_hand

        self._attempts = attempts = Attempts(
            consumer, policy, settlement, self._metrics, is_crowded=is_crowded
        )
        work = work_of(consumer, attempts, self.gate, intervening, self._calls)
        return work

    async def _read(self, work: Work, settlement: Settlement, intervening: Intervening) -> None:
        intake = Intake(
            self._consumer,
            self._tenure,
            work=work,
            settlement=settlement,
            intervening=intervening,
            block_s=lambda: self._pace().block_s,
        )
        delivered = DeliveredEntries(
            self._tenure, intake, intervening, buries_crashed=self._consumer.buries_crashed
        )
        reading = owned(self._reader.run(intake, delivered), name="reading")
        closed = owned(self.gate.closed())
        try:
            await asyncio.wait((reading, closed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            self.close()
            await self._reader.unblock(reading, within_s=self._farewell_s)
        if not reading.cancelled():
            await reading
