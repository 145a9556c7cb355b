"""Sends requests that arrive together to Redis together, and lets each learn its result.

Each partition is stored by itself, with one batch under way at most, so that events of a comment
stay in the order of their arrival.
"""

import asyncio
from collections.abc import Awaitable, Callable

from gateway import metrics
from gateway.balance.ledger import Ledger
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
    became of each. `start` before the first event, `close` after the last one.
    """

    def __init__(
        self,
        redis: RedisSettings,
        settings: PublishSettings,
        spool: Spool,
        ledger: Ledger,
        *,
        holds_back: Callable[[int], bool],
    ) -> None:
        self._ledger = ledger
        self._max_queued = settings.max_queued
        self._queued = self._told_queued = 0
        self._outages = PublishingOutages()
        self._spans = BatchSpans() if is_traced() else None
        self._partitions = []
        for partition in range(redis.partitions):
            writer = stream_writer(redis, settings, partition)
            producer = Producer(
                partition,
                writer,
                spool,
                redis.streams,
                self._outages,
                ledger=ledger,
                deadline_s=settings.deadline_s,
                holds_back=holds_back,
            )
            self._partitions.append(
                PartitionPublisher(
                    partition,
                    writer,
                    producer,
                    ledger=ledger,
                    deadline_s=settings.deadline_s,
                    on_taken=self._taken,
                    spans=self._spans,
                )
            )

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
        for one in self._partitions:
            one.start()

    async def close(self) -> None:
        """Store what has been accepted, and end."""
        await asyncio.gather(*(one.close() for one in self._partitions))

    def _taken(self, events: int) -> None:
        self._queued -= events
        if self._queued != self._told_queued:
            self._told_queued = self._queued
            metrics.QUEUED_EVENTS.set(self._queued)
