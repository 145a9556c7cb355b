"""Runs a consumer's process: opens what it needs, owns its share of partitions, stops when told."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import structlog
from redis.asyncio import Redis

from consumers.runtime.consumer import Consumer
from consumers.runtime.consumer_checks import doubts, refuse_idle
from consumers.runtime.dead_letter_limit import DeadLetterRate
from consumers.runtime.failure_records import FailureRecords
from consumers.runtime.gate import Gate
from consumers.runtime.handled_log import Summary
from consumers.runtime.health import Health, listening
from consumers.runtime.in_flight import in_flight_of
from consumers.runtime.joint_calls import JointCalls
from consumers.runtime.lua_scripts import Acquired, Scripts
from consumers.runtime.metrics import Metrics
from consumers.runtime.outages import Outages
from consumers.runtime.ownership import Ownership
from consumers.runtime.partition import OwnedPartition
from consumers.runtime.partition_keys import PartitionKeys
from consumers.runtime.reader import ReadPace
from consumers.runtime.retry_policy import RetryPolicy
from consumers.runtime.standing_interventions import StandingInterventions
from consumers.runtime.standstill import Standstill
from consumers.runtime.tenure import Tenure
from consumers.runtime.unknown_streams import refuse_unknown
from gateway.background import Background, owned, watched
from gateway.contract import Streams
from gateway.ending import end
from gateway.heartbeats.heartbeat import beating
from gateway.heartbeats.process_report import ProcessReport, instance_id
from gateway.heartbeats.systemd_notices import telling_systemd
from gateway.last_resort import end_within
from gateway.redis_access import connections
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings
from gateway.span_export import exporting
from gateway.vital_metrics import tell_build

__all__ = ["run", "run_until_signalled"]

log = structlog.get_logger()

_BLOCK_S: Final = 2.5
_INSPECT_S: Final = 10.0
_PARTITIONS_PER_PACE: Final = 4
"""Up to this many partitions an idle process sends under five commands a second."""


async def run_until_signalled(consumer: Consumer, settings: Settings) -> None:
    """Consume until SIGTERM or SIGINT; a second signal ends the process where it stands.

    So does the end of twice `grace_s`, if something holds up the stop, whatever it began with.
    """
    stop = asyncio.Event()
    most_s = 2 * settings.consumers.grace_s
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
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told)
    bounding = owned(bound_the_stop())
    service, grace_s = f"b24-consumer-{consumer.group}", settings.consumers.grace_s
    try:
        async with exporting(service, instance=instance_id(), grace_s=grace_s):
            await run(consumer, settings, stop)
    finally:
        if not stop.is_set():
            end_within(most_s)
        await end(bounding)


async def run(consumer: Consumer, settings: Settings, stop: asyncio.Event) -> None:
    """Consume until `stop` is set; entries under way are finished and acknowledged first.

    Sets `stop` itself when a part has failed, and ends in the same way. Raises
    DeadLetterLimitReached, OperatorError, BackgroundFailed, and what the service's own contexts
    raise.
    """
    refuse_idle(consumer)
    for pattern in doubts(consumer):
        log.warning("this version knows of no event of this type", pattern=pattern)
    tell_build()
    metrics = Metrics(consumer.group)
    standstill = Standstill(metrics.stood_still)
    outages = Outages(standstill.explains)
    async with AsyncExitStack() as stack:
        watch = stack.enter_context(watched(stop.set))
        control = connections.control(settings.redis.url)
        stack.push_async_callback(control.aclose)
        await stack.enter_async_context(consumer.lifespan())
        ownership = _ownership(consumer, settings, control, metrics, outages)
        health = Health(
            ownership,
            outages,
            watch,
            metrics,
            why_not_ready=consumer.why_not_ready,
            lease_s=settings.consumers.lease_s,
            stuck_s=settings.consumers.stuck_s,
        )
        address = await stack.enter_async_context(
            listening(
                settings.consumers.host,
                settings.consumers.port,
                health,
                metrics,
                hosts=settings.admin.hosts,
            )
        )
        # From here on it waits for Redis, if need be.
        await stack.enter_async_context(telling_systemd(health.why_not_alive))
        await stack.enter_async_context(_beside(standstill.run, name="standstill"))
        summary = Summary(consumer.group, metrics)
        await stack.enter_async_context(_beside(summary.run, name="summary"))
        await refuse_unknown(control, settings.redis.streams, consumer.stream, stop)
        report = _reporting(consumer, ownership, health, address)
        await stack.enter_async_context(
            beating(control, report, prefix=settings.redis.prefix, instance=ownership.member)
        )
        log.info("consumer started", group=consumer.group, stream=consumer.stream)
        await ownership.run(stop)
    log.info("consumer stopped", group=consumer.group)


def _reporting(
    consumer: Consumer, ownership: Ownership, health: Health, address: str
) -> Callable[[], Awaitable[ProcessReport]]:
    """What the process says of itself in its heartbeats."""

    async def report() -> ProcessReport:
        return ProcessReport.of_this_process(
            "consumer",
            why_not=await health.why_not_ready(),
            group=consumer.group,
            stream=consumer.stream,
            admin=address,
            partitions=tuple(sorted(one.keys.partition for one in ownership.partitions)),
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


def _ownership(
    consumer: Consumer, settings: Settings, control: Redis, metrics: Metrics, outages: Outages
) -> Ownership:
    streams = settings.redis.streams
    scripts = Scripts(control)
    wishes = StandingInterventions(control, streams, consumer.group)
    rate = DeadLetterRate(consumer.dead_letter_limit)
    farewell_s = settings.consumers.grace_s / 8
    longest_block_s = settings.consumers.lease_s * 2 / 3
    calls = _joint_calls(consumer)

    def pace() -> ReadPace:
        factor = max(1.0, len(ownership.partitions) / _PARTITIONS_PER_PACE)
        return ReadPace(min(_BLOCK_S * factor, longest_block_s), _INSPECT_S * factor)

    async def connect(key: str) -> Redis:
        return await connections.reader_of(settings.redis.url, key, block_s=longest_block_s)

    def own(keys: PartitionKeys, acquired: Acquired) -> OwnedPartition:
        tenure = Tenure(
            keys=keys,
            epoch=acquired.epoch,
            gate=Gate(limit=consumer.concurrency),
            in_flight=in_flight_of(consumer, hands=lambda: ownership.partitions),
            failures=FailureRecords(control, keys, epoch=acquired.epoch),
            scripts=scripts,
            metrics=metrics,
            rate=rate,
            outages=outages,
            wishes=wishes,
        )
        return OwnedPartition(
            consumer,
            tenure,
            former=acquired,
            connect=connect,
            settings=settings.consumers,
            farewell_s=farewell_s,
            pace=pace,
            calls=calls,
        )

    ownership = Ownership(
        _partition_keys(consumer, streams),
        member=instance_id(),
        members_key=streams.members(consumer.group),
        scripts=scripts,
        lease_s=settings.consumers.lease_s,
        farewell_s=farewell_s,
        one_by_one=RedisAddress.of(settings.redis.url).kind == "cluster",
        outages=outages,
        wishes=wishes,
        own=own,
    )
    return ownership


def _joint_calls(consumer: Consumer) -> JointCalls | None:
    """The calls that the partitions of this process have in common, if its handler wants that."""
    handler = consumer.batch_handler
    if handler is None or not handler.across_partitions:
        return None
    return JointCalls(handler, RetryPolicy.of(consumer).is_transient)


def _partition_keys(consumer: Consumer, streams: Streams) -> list[PartitionKeys]:
    """Those of all partitions that there are."""
    return [
        PartitionKeys.of(
            streams,
            group=consumer.group,
            stream=consumer.stream,
            partition=partition,
            output=consumer.output,
        )
        for partition in range(streams.partitions)
    ]
