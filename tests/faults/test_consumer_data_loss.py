"""A server that forgets: what it had on its disk, or what its replica never heard of."""

import asyncio
from collections import Counter
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer
from gateway.contract import encode_event
from gateway.drill.lossy_proxy import LossyProxy, on_loopback
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.faults.sink import GROUP, SERVICE, Sink
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.replicas import until_in_step
from tests.support.stage import COUNTED, Stage

KEY = "b24:events:{0}"
CUTS = (1, 57, 130, 300)
"""Bytes that are cut off: within a command, and within the transaction of a read."""


@pytest.mark.short
async def test_the_tail_of_the_append_only_file_is_cut_off(stage: Stage) -> None:
    """As by a power failure. What the sender finds missing it sends again."""
    server = stage.server()
    redis = connections.control(server.url)
    calls: Counter[str] = Counter()
    sent_again: set[str] = set()
    events: list[CommentEvent] = []
    app = Consumer(group=GROUP, stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        await asyncio.sleep(0.002)
        calls[event.id] += 1

    async with running(app, server.url):
        for cut in CUTS:
            some = [comment_event(number % 20 + 1) for number in range(100)]
            events += some
            await publish(redis, KEY, some)
            await eventually(partial(calls.__contains__, some[0].id))
            server.kill()
            cut_tail(server, cut)
            server.start()
            missing = await missing_on(redis, events)
            sent_again |= {event.id for event in missing}
            await publish(redis, KEY, missing)
            await eventually(partial(calls.__contains__, events[-1].id))
        await eventually(lambda: len(calls) == len(events))
        await eventually(lambda: settled(redis, KEY, GROUP))
    await redis.aclose()

    # The process lived: what the server forgot to be handled is not handled twice.
    assert {event_id for event_id, count in calls.items() if count > 1} <= sent_again
    assert calls.keys() == {event.id for event in events}
    assert max(calls.values()) <= 2
    stage.remark = COUNTED


@pytest.mark.short
async def test_acknowledgements_are_cut_off_and_the_sink_stays_as_it_is(stage: Stage) -> None:
    """The process dies with the server, so nothing but the sink knows what was handled."""
    server = stage.server()
    redis = connections.control(server.url)
    sink = Sink(stage.directory)
    events = [comment_event(number % 20 + 1) for number in range(200)]
    await publish(redis, KEY, events)
    with service(server.url, stage.directory, name=SERVICE, **settings_of(sink)) as process:
        await eventually(lambda: settled(redis, KEY, GROUP))
        process.kill()
    server.kill()
    cut_tail(server, 3000)
    server.start()
    is_forgotten = not await settled(redis, KEY, GROUP)
    with service(server.url, stage.directory, name=SERVICE, **settings_of(sink)):
        await eventually(lambda: settled(redis, KEY, GROUP))
    await redis.aclose()

    assert is_forgotten
    sink.assert_each_once(events)
    assert sink.outcomes()["repeated"] > 0
    stage.remark = COUNTED


@pytest.mark.short
async def test_a_replica_that_missed_the_end_takes_over_under_a_consumer(stage: Stage) -> None:
    """Lost are the events that no replica confirmed, which their sender sends again."""
    primary = stage.server("primary", "--repl-diskless-sync-delay", "0")
    sink = Sink(stage.directory)
    async with (
        LossyProxy(on_loopback(primary.port)) as wire,
        LossyProxy(on_loopback(primary.port)) as address,
    ):
        replica = stage.server("replica", "--replicaof", f"127.0.0.1 {wire.port}")
        await until_in_step(primary)
        confirmed = [comment_event(number % 10 + 1) for number in range(100)]
        unconfirmed = [comment_event(number % 10 + 1) for number in range(50)]
        settings = settings_of(sink)
        with service(address.url, stage.directory, name=SERVICE, **settings) as process:
            async with connections.publisher(primary.url) as redis:
                await publish(redis, KEY, confirmed[:60])
                await eventually(lambda: len(sink.effects()) == 60)
                await publish(redis, KEY, confirmed[60:])
                await until_in_step(primary)
                wire.hold()
                # The rest of the acknowledgements, and these, are known to the primary alone.
                await publish(redis, KEY, unconfirmed)
                await redis.incr("later")  # a command waits for what its own connection wrote
                assert await redis.wait(1, 300) == 0
                await eventually(lambda: len(sink.effects()) == 150)
            primary.kill()
            async with connections.control(replica.url) as redis:
                await redis.replicaof("NO", "ONE")
                missing = await missing_on(redis, [*confirmed, *unconfirmed])
                address.lead_to(on_loopback(replica.port))
                await publish(redis, KEY, missing)
                await eventually(lambda: settled(redis, KEY, GROUP), timeout_s=30)
            assert await process.stop() == 0

    assert {event.id for event in missing} == {event.id for event in unconfirmed}
    sink.assert_each_once([*confirmed, *unconfirmed])
    # What was sent again, and whatever was acknowledged to the primary alone.
    assert sink.outcomes()["repeated"] >= len(unconfirmed)
    stage.remark = COUNTED


@pytest.mark.short
async def test_a_clock_that_was_set_back_holds_up_nobody(stage: Stage) -> None:
    """The stream's ids go on from the later time, and so do groups, acknowledgements and ages."""
    server = stage.server()
    redis = connections.control(server.url)
    calls: Counter[str] = Counter()
    app = Consumer(group=GROUP, stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        calls[event.id] += 1

    first, *others = [comment_event(number + 1) for number in range(20)]
    seconds, _micros = await redis.time()
    in_ten_minutes = f"{(int(seconds) + 600) * 1000}-0"
    await redis.xadd(KEY, {"event": encode_event(first)}, id=in_ten_minutes)
    async with running(app, server.url):
        await eventually(lambda: len(calls) == 1)
        await publish(redis, KEY, others)
        await eventually(lambda: settled(redis, KEY, GROUP))
    last: Any = await redis.xrevrange(KEY, count=1)
    await redis.aclose()

    assert last[0][0].decode() == in_ten_minutes.replace("-0", "-19")
    assert Counter(event.id for event in (first, *others)) == calls
    stage.remark = COUNTED


def settings_of(sink: Sink) -> dict[str, str]:
    return {**sink.environment, "GATEWAY_CONSUMERS_LEASE_S": "2"}


def cut_tail(server: RedisServer, count: int) -> None:
    """Cut bytes off the part of the append-only file that is being written."""
    (path,) = (server.directory / "appendonlydir").glob("*.incr.aof")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - count)


async def missing_on(redis: Redis, events: list[CommentEvent]) -> list[CommentEvent]:
    """The events that are not on the stream."""
    entries: Any = await redis.xrange(KEY)
    stored = {fields[b"event"] for _id, fields in entries}
    return [event for event in events if encode_event(event) not in stored]
