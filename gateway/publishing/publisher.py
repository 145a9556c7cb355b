"""Sends requests that arrive together to Redis together, and lets each learn its result.

Each partition is stored by itself, with one batch under way at most, so that events of a comment
stay in the order of their arrival.
"""

import asyncio
from collections.abc import Awaitable, Callable

from gateway import metrics
from gateway.balance.ledger import Ledger
from gateway.contract import Streams
from gateway.publishing.batch import Batch, Stored, Waiter
from gateway.publishing.batch_spans import BatchSpans
from gateway.publishing.errors import CannotStore
from gateway.publishing.partition_publisher import PartitionPublisher
from gateway.publishing.producer import Producer, PublishingOutages
from gateway.publishing.spool.store import Spool
from gateway.publishing.stream_writer import stream_writer
from gateway.settings import PublishSettings, RedisSettings
from gateway.spans import is_traced

__all__ = ["Publisher"]


class Publisher:
    """Stores events on the `events` stream of one installation, or in the spool.

    An event goes to the spool when Redis does not take it in time, when older events of its
    partition wait there, and while `holds_back` says so of its partition; `ledger` counts what
    became of each. Where Redis says that a partition is a former one, `on_sealed` is called, and
    its events wait in the spool, too. `start` before the first event, `close` after the last one.
    """

    def __init__(
        self,
        redis: RedisSettings,
        settings: PublishSettings,
        spool: Spool,
        ledger: Ledger,
        *,
        holds_back: Callable[[int], bool],
        on_sealed: Callable[[], None] = lambda: None,
    ) -> None:
        self._redis = redis
        self._settings = settings
        self._spool = spool
        self._ledger = ledger
        self._holds_back = holds_back
        self._on_sealed = on_sealed
        self._max_queued = settings.max_queued
        self._queued = self._told_queued = 0
        self._outages = PublishingOutages()
        self._spans = BatchSpans() if is_traced() else None
        self._partitions = self._made()
        self._adopting = asyncio.Lock()

    def _made(self) -> dict[int, PartitionPublisher]:
        """Publishers of the partitions that are in force."""
        return {partition: self._publisher_of(partition) for partition in self._streams.in_force}

    @property
    def _streams(self) -> Streams:
        return self._redis.streams

    def _publisher_of(self, partition: int) -> PartitionPublisher:
        writer = stream_writer(self._redis, self._settings, partition)
        producer = Producer(
            partition,
            writer,
            self._spool,
            self._streams,
            self._outages,
            ledger=self._ledger,
            deadline_s=self._settings.deadline_s,
            holds_back=self._holds_back,
            on_sealed=self._on_sealed,
        )
        return PartitionPublisher(
            partition,
            writer,
            producer,
            ledger=self._ledger,
            deadline_s=self._settings.deadline_s,
            on_taken=self._taken,
            spans=self._spans,
        )

    async def adopt(self) -> None:
        """Go over to the partitions that the streams have from now on.

        What comes goes there from the first step of this call on, and waits in memory until all
        that came before is settled: on its former partition, or in the spool.
        """
        former, self._partitions = self._partitions, (made := self._made())
        for one in made.values():
            one.hold()
            one.start()
        async with self._adopting:  # or what came before last might still be under way
            await asyncio.gather(*(one.close() for one in former.values()))
        for partition in former:
            self._outages.forget(partition)
        if self._partitions is made:  # else a later call has begun, which closes these
            for one in made.values():
                one.release()

    def publish(self, event: bytes, partition: int) -> Awaitable[Stored]:
        """Store an event; what is returned waits until it is stored, and says where.

        Waiting raises CannotStore if neither Redis nor the spool took the event; the call itself
        raises it if too many events wait already. A caller that is cancelled learns it when its
        batch is settled.
        """
        batch = self._filling(event, partition, None)
        if self._spans is not None:
            self._spans.note_origin(batch)
        return batch.settled

    def store(self, event: bytes, partition: int, waiter: Waiter) -> None:
        """Store an event, and tell a waiter what `publish` returns or raises for it.

        The call itself raises as that of `publish` does; then the waiter is told nothing.
        """
        self._filling(event, partition, waiter)

    def _filling(self, event: bytes, partition: int, waiter: Waiter | None) -> Batch:
        """The batch that an event is in now."""
        self._ledger.accept()
        if self._queued >= self._max_queued:
            self._ledger.refuse(1, "queue_full")
            raise CannotStore("queue_full")
        self._queued += 1
        return self._partitions[partition].add(event, waiter)

    @property
    def is_refused(self) -> bool:
        """Whether Redis did not take the last batch that it was given of some partition."""
        return self._outages.redis.lasts

    def start(self) -> None:
        """Start publishing."""
        for one in self._partitions.values():
            one.start()

    async def close(self) -> None:
        """Store what has been accepted, and end."""
        await asyncio.gather(*(one.close() for one in self._partitions.values()))

    def _taken(self, events: int) -> None:
        self._queued -= events
        if self._queued != self._told_queued:
            self._told_queued = self._queued
            metrics.QUEUED_EVENTS.set(self._queued)
