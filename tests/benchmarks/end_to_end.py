"""From the answer 200 to the start of a consumer's handler, at a steady rate over real HTTP."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gateway.drill.delivery_load import DeliveryLoad
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.receiver_process import receiving

__all__ = ["waits_s"]

_SERVICE: Final = "tests.benchmarks.latency_service:app"
_RATE: Final = 1000.0
_SECONDS: Final = 10.0
_TRIES: Final = 3


async def waits_s(server: RedisServer, directory: Path) -> list[float]:
    """The waits in seconds, sorted; below zero where the handler was faster than the answer.

    The server is emptied first. Receiver, Redis, consumer and the load are four processes on this
    machine, which has to hold the rate: it is tried three times, then SystemExit.
    """
    for _ in range(_TRIES):
        async with connections.control(server.url, timeout_s=10) as redis:
            await redis.flushall()
        with TemporaryDirectory(dir=directory) as own:
            if waits := await _waits_s(server, Path(own)):
                return waits
    raise SystemExit(f"this machine is too busy for {_RATE:.0f} events a second")


async def _waits_s(server: RedisServer, directory: Path) -> list[float]:
    """The waits of one try; none if too few events were accepted."""
    async with (
        connections.control(server.url) as redis,
        receiving(directory, server.url) as receiver,
    ):

        async def has_group() -> bool:
            return bool(await redis.exists("b24:lease:latency:{0}"))

        with service(server.url, directory, name=_SERVICE) as consumer:
            await eventually(has_group)
            async with DeliveryLoad([receiver.port], rate=_RATE, senders=50) as load:
                await asyncio.sleep(_SECONDS)
            await asyncio.sleep(0.5)
            await consumer.stop()
            starts = {event_id: float(at) for event_id, at in consumer.effects()}
    accepted = [delivery for delivery in load.deliveries if delivery.is_accepted]
    if len(accepted) < 0.8 * _RATE * _SECONDS:
        return []
    assert starts.keys() >= {delivery.event_id for delivery in accepted}
    return sorted(starts[delivery.event_id] - delivery.answered_at for delivery in accepted)
