"""Runs a consumer's process: opens what it needs, owns its share of partitions, stops when told."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import structlog
from redis.asyncio import Redis

from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_checks import doubts, refuse_idle
from consumers.runtime.consumer_set import ConsumerSet
from consumers.runtime.event_memory import EventMemory, read_event
from consumers.runtime.group_assembly import OwnedCount, ProcessParts, ownership_of
from consumers.runtime.handled_log import Summary
from consumers.runtime.health import Health, listening
from consumers.runtime.joint_reading import JointReading
from consumers.runtime.metrics import Metrics
from consumers.runtime.outages import Outages
from consumers.runtime.ownership import Ownership
from consumers.runtime.standstill import Standstill
from consumers.runtime.unknown_streams import refuse_unknown
from gateway.background import Background, owned, watched
from gateway.contract import Streams
from gateway.ending import end
from gateway.hangups import stop_signals
from gateway.heartbeats.heartbeat import beating
from gateway.heartbeats.process_report import ProcessReport, instance_id
from gateway.heartbeats.systemd_notices import telling_systemd
from gateway.last_resort import end_within
from gateway.partitioning.partition_follower import following
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.span_export import exporting
from gateway.vital_metrics import tell_build

__all__ = ["run", "run_until_signalled"]

log = structlog.get_logger()


async def run_until_signalled(
    work: Callable[[asyncio.Event], Awaitable[None]], *, service: str, grace_s: float
) -> None:
    """Work until SIGTERM or SIGINT, which set the event; a second signal ends the process where it
    stands.

    So does the end of twice `grace_s`, if something holds up the stop, whatever it began with.
    `service` is what traces call the process.
    """
    stop = asyncio.Event()
    most_s = 2 * grace_s
    is_told = False

    def told() -> None:
        nonlocal is_told
        if is_told:
            os._exit(1)
        is_told = True
        stop.set()

    async def bound_the_stop() -> None:
        await stop.wait()
        end_within(most_s)

    loop = asyncio.get_running_loop()
    for number in stop_signals():
        loop.add_signal_handler(number, told)
    bounding = owned(bound_the_stop())
    try:
        async with exporting(service, instance=instance_id(), grace_s=grace_s):
            await work(stop)
    finally:
        if not stop.is_set():
            end_within(most_s)
        await end(bounding)


async def run(given: Consumer | ConsumerSet, settings: Settings, stop: asyncio.Event) -> None:
    """Consume until `stop` is set; entries under way are finished and acknowledged first.

    Sets `stop` itself when a part has failed, and ends in the same way. Raises
    DeadLetterLimitReached, OperatorError, BackgroundFailed, and what the service's own contexts
    raise.
    """
    some = ConsumerSet.of(given)
    _check(some)
    tell_build()
    metrics = [Metrics(consumer.group) for consumer in some.consumers]
    standstill = _standstill(metrics)
    outages = Outages(standstill.explains, are_told_together=some.is_joint)
    async with AsyncExitStack() as stack:
        watch = stack.enter_context(watched(stop.set))
        control = connections.control(settings.redis.url)
        stack.push_async_callback(control.aclose)
        await stack.enter_async_context(following(control, settings.redis.streams))
        await stack.enter_async_context(some.lifespan())
        for consumer in some.consumers:
            await stack.enter_async_context(consumer.lifespan())
        parts = _parts(some, settings, control, outages, lambda: ownerships)
        ownerships = [
            ownership_of(consumer, parts, of_group)
            for consumer, of_group in zip(some.consumers, metrics, strict=True)
        ]
        health = Health(
            ownerships,
            outages,
            watch,
            metrics,
            why_not_ready=some.reasons_not_ready,
            lease_s=settings.consumers.lease_s,
            stuck_s=settings.consumers.stuck_s,
        )
        address = await stack.enter_async_context(
            listening(
                settings.consumers.host,
                settings.consumers.port,
                health,
                hosts=settings.admin.hosts,
            )
        )
        # From here on it waits for Redis, if need be.
        await stack.enter_async_context(telling_systemd(health.why_not_alive))
        await stack.enter_async_context(_beside(standstill.run, name="standstill"))
        summary = Summary(some.name, metrics)
        await stack.enter_async_context(_beside(summary.run, name="summary"))
        for stream in dict.fromkeys(consumer.stream for consumer in some.consumers):
            await refuse_unknown(control, settings.redis.streams, stream, stop)
        report = _reporting(some, ownerships, health, address, settings.redis.streams)
        await stack.enter_async_context(
            beating(control, report, prefix=settings.redis.prefix, instance=parts.member)
        )
        _tell_start(some)
        await _own(ownerships, stop)
    log.info("consumer stopped", group=some.name)


def _check(some: ConsumerSet) -> None:
    for consumer in some.consumers:
        refuse_idle(consumer)
        for pattern in doubts(consumer):
            log.warning("this version knows of no event of this type", pattern=pattern)


def _standstill(metrics: Sequence[Metrics]) -> Standstill:
    def noted(seconds: float) -> None:
        for one in metrics:
            one.stood_still(seconds)

    return Standstill(noted)


def _tell_start(some: ConsumerSet) -> None:
    streams = sorted({consumer.stream for consumer in some.consumers})
    about = {"groups": len(some.consumers)} if some.is_joint else {}
    log.info("consumer started", group=some.name, stream=", ".join(streams), **about)


async def _own(ownerships: Sequence[Ownership], stop: asyncio.Event) -> None:
    """Let all groups own their shares until `stop`; raises what one of them raised, after all.

    They begin one after the other within a second, so that their beats do not come together.
    """

    async def own(number: int, ownership: Ownership) -> None:
        if number:
            with suppress(TimeoutError):
                async with asyncio.timeout(number / len(ownerships)):
                    await stop.wait()
        await ownership.run(stop)

    if not ownerships:
        await stop.wait()
        return
    ends = await asyncio.gather(
        *(own(number, one) for number, one in enumerate(ownerships)), return_exceptions=True
    )
    for error in ends:
        if error is not None:
            raise error


def _parts(
    some: ConsumerSet,
    settings: Settings,
    control: Redis,
    outages: Outages,
    ownerships: Callable[[], Sequence[Ownership]],
) -> ProcessParts:
    url, block_s = settings.redis.url, settings.consumers.lease_s * 2 / 3
    joint = JointReading(
        connect=lambda key: connections.shared_reader_of(url, key),
        watch=lambda key: connections.reader_of(url, key, block_s=block_s),
        block_s=block_s,
    )
    return ProcessParts(
        settings=settings,
        member=instance_id(),
        control=control,
        outages=outages,
        read_event=EventMemory().read if some.is_joint else read_event,
        joint=joint if some.is_joint else None,
        owned_count=OwnedCount(ownerships),
    )


def _reporting(
    some: ConsumerSet,
    ownerships: Sequence[Ownership],
    health: Health,
    address: str,
    known: Streams,
) -> Callable[[], Awaitable[ProcessReport]]:
    """What the process says of itself in its heartbeats."""
    streams = ", ".join(sorted({consumer.stream for consumer in some.consumers}))

    async def report() -> ProcessReport:
        owned = {one.keys.partition for ownership in ownerships for one in ownership.partitions}
        return ProcessReport.of_this_process(
            "consumer",
            why_not=await health.why_not_ready(),
            group=some.name,
            stream=streams,
            admin=address,
            partitions=tuple(sorted(owned)),
            layouts=len(known.counts),
        )

    return report


@asynccontextmanager
async def _beside(work: Callable[[], Awaitable[None]], *, name: str) -> AsyncIterator[None]:
    """Run something that the consumer does not need, and that it shall not end with."""
    background = Background(work, name=name, begins_anew=True)
    background.start()
    try:
        yield
    finally:
        await background.close()
