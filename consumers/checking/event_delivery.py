"""Runs a Consumer over a list of events with the real attempts and order, and without Redis."""

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from consumers.runtime.attempts import Attempts
from consumers.runtime.batches import Batches
from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_checks import refuse_idle
from consumers.runtime.entry import Entry, Event, HeldEntry, Partition, Source
from consumers.runtime.gate import Circuit, Gate
from consumers.runtime.gatherings import Gatherings
from consumers.runtime.lanes import Lanes
from consumers.runtime.metrics import Metrics
from consumers.runtime.retry_policy import RetryPolicy
from consumers.runtime.transforms import Output, TransformHandler, Write
from gateway.backoff import Backoff
from gateway.contract import decode_event, encode_event

__all__ = ["Delivered", "EventDelivery", "deliver_events"]


class Delivered(Struct):
    """What became of the events, by event id, each list in the order in which it happened.

    `dead` says for each dead letter its reason (`rejected`, `failed`), and `errors` what was raised
    last, with its traceback. `outputs` are the events that a transforming consumer has written, and
    `writes` what it has written besides.
    """

    handled: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    dead: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    outputs: list[Event] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)


class _List:
    """The outlet of a list of events: notes what becomes of them, until none is left."""

    def __init__(self, count: int) -> None:
        self.delivered = Delivered()
        self.done = asyncio.Event()
        self._left = count
        self._settle(0)

    def ignore(self, event: Event) -> None:
        self.delivered.ignored.append(event.id)
        self._settle(1)

    def acknowledge(self, held: Sequence[HeldEntry]) -> None:
        self.delivered.handled += [one.entry.event.id for one in held]
        self._settle(len(held))

    def emit(self, done: Sequence[tuple[HeldEntry, Output]]) -> None:
        for _held, output in done:
            self.delivered.outputs += [
                decode_event(event) if isinstance(event, bytes) else event
                for event in output.events
            ]
            self.delivered.writes += output.writes
        self.acknowledge([held for held, _output in done])

    def failed(
        self, some: Sequence[HeldEntry], *, error: str, is_transient: bool, handler: str
    ) -> None:
        del some, error, is_transient, handler  # it is made again, and only that counts here

    async def bury_held(
        self, held: HeldEntry, *, reason: str, error: str, traceback: str, attempts: int
    ) -> None:
        del attempts
        self.delivered.dead[held.entry.event.id] = reason
        self.delivered.errors[held.entry.event.id] = traceback or error
        self._settle(1)

    def _settle(self, count: int) -> None:
        self._left -= count
        if not self._left:
            self.done.set()


class EventDelivery:
    """Hands entries of one partition to a consumer that is in its contexts.

    Attempts, order and failures are those of production; the pauses between attempts are left
    out. Entries are numbered through from `first_id` on, in the milliseconds of their ids.
    """

    def __init__(self, consumer: Consumer, *, first_id: int = 1) -> None:
        self._consumer = consumer
        self._next_id = first_id

    def entries(self, events: Sequence[bytes], *, is_replay: bool = False) -> list[Entry]:
        """New entries of the stream, which hold these events. Raises InvalidEvent."""
        begin = self._next_id
        self._next_id += len(events)
        return [
            Entry(
                stream=self._consumer.stream,
                partition=0,
                epoch=1,
                id=f"{number}-0",
                event=decode_event(raw),
                raw=raw,
                is_replay=is_replay,
            )
            for number, raw in enumerate(events, start=begin)
        ]

    async def deliver(self, entries: Sequence[Entry], *, timeout_s: float) -> Delivered:
        """Handle the entries until each is settled; raises TimeoutError if one is not in time."""
        consumer = self._consumer
        outlet = _List(len(entries))
        gate = Gate(limit=consumer.concurrency)
        gate.extend(float("inf"))
        at_once = Backoff(first_s=0.0, limit_s=0.0)
        policy = RetryPolicy(
            max_attempts=consumer.max_attempts, transient=consumer.transient, backoff=at_once
        )
        attempts = Attempts(consumer, policy, outlet, Metrics(consumer.group))
        work: Lanes | Batches | Gatherings
        if consumer.output is not None:
            work = Gatherings(attempts.on_transform, _at_once(consumer), gate)
        elif consumer.batch_handler is None:
            work = Lanes(attempts.on_event, gate, Circuit(at_once))
        else:
            work = Batches(attempts.on_batch, gate, replace(consumer.batch_handler, max_wait_s=0.0))
        try:
            for entry in entries:
                if not consumer.wants(entry.event):
                    outlet.ignore(entry.event)
                else:
                    work.submit((HeldEntry(source=_SOURCE, id=entry.id.encode(), entry=entry),))
            async with asyncio.timeout(timeout_s):
                await outlet.done.wait()
        finally:
            gate.close()
            await work.finish(timeout_s)
        return outlet.delivered


async def deliver_events(
    consumer: Consumer,
    events: Sequence[Event],
    *,
    is_replay: bool = False,
    timeout_s: float = 5.0,
) -> Delivered:
    """Handle the events as one partition, in the consumer's contexts, until each is settled.

    Attempts, order and failures are those of production; the pauses between attempts are left
    out. Raises TimeoutError if something is not settled in time, as a handler that never stops
    raising Transient, and InvalidConsumer for a consumer that can handle nothing.
    """
    refuse_idle(consumer)
    async with consumer.lifespan(), consumer.partition_lifespan(Partition(0, 1)):
        delivery = EventDelivery(consumer)
        entries = delivery.entries([encode_event(one) for one in events], is_replay=is_replay)
        return await delivery.deliver(entries, timeout_s=timeout_s)


def _at_once(consumer: Consumer) -> Callable[[str], TransformHandler]:
    """The transforms of a consumer, which wait for nothing."""
    known: dict[TransformHandler, TransformHandler] = {}

    def transform_of(event_type: str) -> TransformHandler:
        handler = consumer.transform_of(event_type)
        return known.setdefault(handler, replace(handler, max_wait_s=0.0, spacing_s=0.0))

    return transform_of


_SOURCE = Source("list", "", is_redelivery=False)
