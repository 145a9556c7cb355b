"""A collector that hangs, is away or cannot be spoken with harms neither receiver nor consumer."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.local.redis_server import free_port
from tests.integration.traces.collector import exporting_to, silent_collector
from tests.integration.traces.delivering import deliver, traced_receiver
from tests.support.consumer_process import ConsumerProcess, service
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver

OFTEN = {"OTEL_BSP_SCHEDULE_DELAY": "50"}


async def work(
    redis: Redis, redis_url: str, directory: Path, environment: Mapping[str, str]
) -> tuple[Receiver, ConsumerProcess]:
    """Receiver and consumer that have received, handled and ended as if nothing was the matter."""
    with (
        traced_receiver(directory, redis_url, environment) as receiver,
        service(redis_url, directory, **environment) as consumer,
    ):
        await receiver.start()
        event_ids = await deliver(receiver.port, *range(1, 41))
        event_ids += await deliver(receiver.port, 41)
        await eventually(lambda: len(consumer.effects()) == len(event_ids))
        assert {event_id for event_id, *_ in consumer.effects()} == set(event_ids)
        assert await redis.xlen("b24:events:{0}") == len(event_ids)
        assert await receiver.stop() == 0
        assert await consumer.stop() == 0
    return receiver, consumer


async def test_a_collector_that_never_answers_harms_nothing(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    # Fewer spans than there are fit into the queue, so some are dropped as well.
    queue = {"OTEL_BSP_MAX_QUEUE_SIZE": "16", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "8"}
    async with silent_collector() as (environment, asked):
        for process in await work(redis, redis_url, tmp_path, environment | OFTEN | queue):
            assert process.lines("the last spans were not exported")
        assert asked.is_set()


async def test_a_collector_that_is_away_is_told_once(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    environment = exporting_to(free_port()) | OFTEN | {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"}
    for process in await work(redis, redis_url, tmp_path, environment):
        assert len(process.lines("spans are not exported")) == 1


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"OTEL_BSP_MAX_QUEUE_SIZE": "1"}, "max_export_batch_size"),
    ],
)
async def test_what_cannot_be_exported_is_told_and_stops_no_process(
    variable: dict[str, str], reason: str, redis_url: str, tmp_path: Path
) -> None:
    environment = exporting_to(free_port()) | variable
    with traced_receiver(tmp_path, redis_url, environment) as receiver:
        await receiver.start()
        await deliver(receiver.port, 1)
        (line,) = receiver.lines("no traces")
        assert reason in line["reason"]
        assert await receiver.stop() == 0
