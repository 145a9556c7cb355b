"""Redis gets full: what is handled makes room, and what is not handled never goes."""

import asyncio
from collections import Counter
from math import isnan
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers import Consumer
from gateway.contract import CommentEvent
from gateway.drill.delivery_load import DeliveryLoad
from gateway.redis_access import connections
from tests.integration.runtime.running import running, settled
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver
from tests.support.stage import COUNTED, Stage

_GROUP = "search"
_KEYS = ("b24:events:{0}", "b24:events:{1}")


def consumer(seen: Counter[str], stands: asyncio.Event) -> Consumer:
    """It handles what it is given, but for when it stands."""
    app = Consumer(group=_GROUP, stream="events", transient=(OSError,))

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        if stands.is_set():
            raise ConnectionRefusedError
        seen[event.id] += 1

    return app


async def fill(redis: Redis, stage: Stage) -> None:
    """In short, other keys take half of the memory, for the streams to reach their part sooner."""
    size_mb = round(stage.span(short=4, full=0))
    for number in range(size_mb << 4):
        await redis.set(f"ballast:{number}", b"x" * (1 << 16))


def memory(stage: Stage) -> tuple[str, str]:
    return ("--maxmemory", f"{round(stage.span(short=9, full=32))}mb")


async def all_handled(redis: Redis) -> bool:
    return all([await settled(redis, key, _GROUP) for key in _KEYS])


def assert_all_are_handled(load: DeliveryLoad, seen: Counter[str]) -> None:
    accepted = {delivery.event_id for delivery in load.deliveries if delivery.is_accepted}
    assert {delivery.status for delivery in load.deliveries} == {200}
    assert set(seen) == accepted
    assert set(seen.values()) == {1}


def lines(receiver: Receiver, phrase: str) -> list[str]:
    return [line for line in receiver.log.splitlines() if phrase in line]


@pytest.mark.short
async def test_more_events_than_fit_are_handled_as_they_come(stage: Stage) -> None:
    """Each is handled at once, and [retention] days are not over for any: none is refused."""
    server = stage.server("redis", *memory(stage))
    redis = connections.control(server.url)
    await fill(redis, stage)
    seen: Counter[str] = Counter()
    async with running(consumer(seen, asyncio.Event()), server.url, partitions=2):
        receiver = await stage.receiver(server.url)
        async with stage.load(receiver, rate=1000) as load:
            # Some 460 bytes each: those of 2.3 MB and 25 MB fit before something has to go.
            count = stage.span(short=8_000, full=90_000)
            await eventually(lambda: len(load.deliveries) > count, timeout_s=280)
        await stage.until_drained()
        await eventually(lambda: all_handled(redis), timeout_s=60)
        left = sum([await redis.xlen(key) for key in _KEYS])
        await receiver.stop()
    await redis.aclose()

    assert_all_are_handled(load, seen)
    assert left < 0.8 * len(seen)
    assert len(lines(receiver, "go before their [retention] days are over")) == len(_KEYS)
    assert lines(receiver, "a group holds") == []
    stage.remark = COUNTED


@pytest.mark.short
async def test_a_consumer_stands_still_until_redis_is_full(stage: Stage) -> None:
    """Nothing unhandled goes, new events wait in the spool, and the log says who it is."""
    server = stage.server("redis", *memory(stage))
    redis = connections.control(server.url)
    await fill(redis, stage)
    seen: Counter[str] = Counter()
    stands = asyncio.Event()
    async with running(consumer(seen, stands), server.url, partitions=2):
        receiver = await stage.receiver(server.url)
        async with stage.load(receiver, rate=1000) as load:
            await eventually(lambda: len(seen) > 500)
            stands.set()
            await load.until_answered_from("spool", timeout_s=150)
            await eventually(
                lambda: len(lines(receiver, "a group holds what it has not")) == len(_KEYS)
            )
            metrics = await receiver.metrics()
        is_pending: Any = await redis.xpending(_KEYS[0], _GROUP)
        stands.clear()
        await stage.until_drained()
        await eventually(lambda: all_handled(redis), timeout_s=90)
        await receiver.stop()
    await redis.aclose()

    assert is_pending["pending"] > 0
    assert_all_are_handled(load, seen)
    assert len(lines(receiver, "redis is nearly out of memory")) == 1
    assert all(f'"group": "{_GROUP}"' in line for line in lines(receiver, "a group holds"))
    labels = f'{{group="{_GROUP}",partition="0",stream="events"}}'
    (held,) = (line for line in metrics if line.startswith(f"b24gw_held_entries{labels}"))
    held_count = float(held.split()[-1])
    # Redis before 7.4 forgets what a group has read, so there it is not known.
    assert isnan(held_count) if stage.binary.version < (7, 4) else held_count > 1000
    assert "b24gw_memory_gate_closed_partitions 2.0" in metrics
    stage.remark = COUNTED
