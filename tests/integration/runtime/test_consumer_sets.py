"""Several groups in one process are as independent of each other as if each were alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer, Declined, RetrySchedule
from consumers.runtime.consumer_process import run
from consumers.runtime.consumer_set import ConsumerSet
from gateway.contract import FailedAttempt
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from gateway.settings import ConsumersSettings, RedisSettings, Settings
from tests.integration.runtime.probes import get, is_answered
from tests.integration.runtime.running import comment_event, publish, settled
from tests.support.eventually import eventually

KEY = "b24:events:{0}"


class Groups:
    """Consumers `g0`, `g1`, …, what each handled, and what holds up those that are told to wait."""

    def __init__(self, count: int, *, waiting: frozenset[str] = frozenset()) -> None:
        self.gate = asyncio.Event()
        self.waiting = waiting
        self.handled: dict[str, list[int]] = {f"g{number}": [] for number in range(count)}

    def have_handled(self, count: int) -> bool:
        """Whether all that do not wait have handled so many."""
        return {len(ids) for name, ids in self.handled.items() if name not in self.waiting} == {
            count
        }

    def of_all(self) -> ConsumerSet:
        return ConsumerSet(name="joint", consumers=tuple(map(self._consumer, self.handled)))

    def _consumer(self, name: str) -> Consumer:
        app = Consumer(group=name, stream="events", max_in_hand=50)

        @app.on("*.updated")
        async def handle(event: CommentEvent) -> None:
            if name in self.waiting:
                await self.gate.wait()
            self.handled[name].append(event.data.comment_id)

        return app


@asynccontextmanager
async def serving(url: str, some: ConsumerSet, *, partitions: int = 1) -> AsyncIterator[int]:
    port = free_port()
    settings = Settings(
        redis=RedisSettings(url=url, partitions=partitions),
        consumers=ConsumersSettings(port=port, lease_s=2.0),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(run(some, settings, stop))
    try:
        await eventually(lambda: is_answered(port, "/readyz", 200))
        yield port
    finally:
        stop.set()
        await task


async def test_a_group_that_hangs_delays_no_other(redis: Redis, redis_url: str) -> None:
    groups = Groups(20, waiting=frozenset({"g3", "g7"}))
    async with serving(redis_url, groups.of_all()):
        for first in range(0, 300, 100):
            await publish(redis, KEY, [comment_event(first + n) for n in range(100)])
            await eventually(partial(groups.have_handled, first + 100))
        assert groups.handled["g3"] == groups.handled["g7"] == []
        groups.gate.set()
        await eventually(lambda: {len(ids) for ids in groups.handled.values()} == {300})
        await eventually(lambda: settled(redis, KEY, "g3"))


async def test_all_of_them_go_on_when_redis_is_back(own_server: RedisServer) -> None:
    groups = Groups(5)
    async with connections.control(own_server.url) as redis:
        async with serving(own_server.url, groups.of_all()) as port:
            own_server.kill()
            await eventually(lambda: is_answered(port, "/readyz", 503))
            own_server.start()
            await eventually(lambda: is_answered(port, "/readyz", 200))
            await publish(redis, KEY, [comment_event(1)])
            await eventually(lambda: list(groups.handled.values()) == [[1]] * 5)
        for name in groups.handled:
            assert await settled(redis, KEY, name)


async def test_a_redelivery_to_one_group_is_given_to_it_alone(redis: Redis, redis_url: str) -> None:
    groups = Groups(3)
    async with serving(redis_url, groups.of_all()):
        await publish(redis, KEY, [comment_event(1)])
        await eventually(lambda: list(groups.handled.values()) == [[1]] * 3)
        entries: Any = await redis.xrange(KEY)
        again: dict[Any, Any] = {**entries[0][1], "stream": "events", "entry_id": "1-0"}
        await redis.xadd("b24:replay:g1:{0}", again)
        await eventually(lambda: groups.handled["g1"] == [1, 1])
        assert groups.handled["g0"] == groups.handled["g2"] == [1]


async def test_metrics_have_each_group_with_its_numbers(redis: Redis, redis_url: str) -> None:
    groups = Groups(3)
    async with serving(redis_url, groups.of_all(), partitions=2) as port:
        await publish(redis, KEY, [comment_event(number) for number in range(4)])
        await eventually(lambda: {len(ids) for ids in groups.handled.values()} == {4})
        await eventually(lambda: settled(redis, KEY, "g2"))
        _status, text = await get(port, "/metrics")
    families = [one.name for one in text_string_to_metric_families(text)]
    handled = {
        sample.labels["group"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "b24_consumer_events_total" and sample.labels["result"] == "handled"
    }

    assert len(families) == len(set(families))
    assert handled == {"g0": 4, "g1": 4, "g2": 4}


async def test_how_long_an_entry_was_declined_is_known_after_a_restart(
    redis: Redis, redis_url: str
) -> None:
    calls = 0
    app = Consumer(
        group="declining",
        stream="events",
        retries=RetrySchedule(pauses_s=(3600.0,), give_up_s=7200.0),
    )

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        nonlocal calls
        calls += 1
        raise Declined("422")

    def was_called(times: int) -> bool:
        return calls == times

    async def records() -> list[FailedAttempt]:
        found: Any = await redis.hgetall("b24:failures:declining:{0}")
        return [one for value in found.values() if (one := FailedAttempt.of(value)) is not None]

    some, since = ConsumerSet.of(app), set()
    await publish(redis, KEY, [comment_event(1)])
    for failures in (1, 2, 3):
        async with serving(redis_url, some):
            await eventually(partial(was_called, failures))
        (record,) = await records()
        assert (record.failures, record.attempts) == (failures, failures)
        since.add(record.since)
    assert len(since) == 1
