"""From the answer 200 to the start of a consumer's handler, at a steady rate over real HTTP."""

import asyncio
from pathlib import Path
from typing import Final

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.load import Load
from tests.support.receiver_process import receiving

__all__ = ["waits_s"]

_SERVICE: Final = "tests.benchmarks.latency_service:app"
_RATE: Final = 1000.0
_SECONDS: Final = 10.0


async def waits_s(server: RedisServer, directory: Path) -> list[float]:
    """The waits in seconds, sorted; below zero where the handler was faster than the answer.

    Receiver, Redis, consumer and the load are four processes on this machine.
    """

    async with (
        connections.control(server.url) as redis,
        receiving(directory, server.url) as receiver,
    ):

        async def has_group() -> bool:
            return bool(await redis.exists("b24:lease:latency:{0}"))

        with service(server.url, directory, name=_SERVICE) as consumer:
            await eventually(has_group)
            async with Load([receiver.port], rate=_RATE, senders=50) as load:
                await asyncio.sleep(_SECONDS)
            await asyncio.sleep(0.5)
            await consumer.stop()
            starts = {event_id: float(at) for event_id, at in consumer.effects()}
    accepted = [delivery for delivery in load.deliveries if delivery.is_accepted]
    assert len(accepted) > 0.8 * _RATE * _SECONDS, f"only {len(accepted)} were accepted"
    assert starts.keys() >= {delivery.event_id for delivery in accepted}
    return sorted(starts[delivery.event_id] - delivery.answered_at for delivery in accepted)
