"""From the answer 200 to the start of a consumer's handler, at a steady rate over real HTTP."""

import asyncio
from pathlib import Path
from typing import Final

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.consumers.running import service
from tests.support.eventually import eventually
from tests.support.load import Load
from tests.support.receiver_process import Receiver

__all__ = ["waits_s"]

_RATE: Final = 1000.0
_SECONDS: Final = 10.0


async def waits_s(server: RedisServer, directory: Path) -> list[float]:
    """The waits in seconds, sorted; below zero where the handler was faster than the answer.

    Receiver, Redis, consumer and the load are four processes on this machine.
    """
    receiver = Receiver(directory, server.url, spool=directory / "spool")
    await receiver.start()
    redis = connections.control(server.url)

    async def has_group() -> bool:
        return bool(await redis.exists("b24:lease:latency:{0}"))

    try:
        with service(
            server.url, directory, name="tests.benchmarks.latency_service:app"
        ) as consumer:
            await eventually(has_group)
            async with Load([receiver.port], rate=_RATE, senders=50) as load:
                await asyncio.sleep(_SECONDS)
            await asyncio.sleep(0.5)
            consumer.process.terminate()
            consumer.process.wait(20)
            starts = {event_id: float(at) for event_id, at in consumer.effects()}
    finally:
        await redis.aclose()
        await receiver.stop()
    accepted = [delivery for delivery in load.deliveries if delivery.is_accepted]
    assert len(accepted) > 0.8 * _RATE * _SECONDS, f"only {len(accepted)} were accepted"
    assert starts.keys() >= {delivery.event_id for delivery in accepted}
    return sorted(starts[delivery.event_id] - delivery.answered_at for delivery in accepted)
