"""A slot of a cluster moves to another node while consumers read, acknowledge and write in it."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer, Entry, Output, Reject
from consumers.runtime.consumer_process import run
from gateway.contract import Streams, decode_event, encode_event
from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.redis_access import connections
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.settings import ConsumersSettings, RedisSettings, Settings
from tests.integration.runtime.probes import get
from tests.integration.runtime.running import comment_event, settled
from tests.support.eventually import eventually
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.slot_moves import NotAtomic, holder_of, move_slot, move_slot_at_once, slot_of

STREAMS = Streams(partitions=2)
POISONED = 13


class Load:
    """Publishes without a pause, to partitions in turn, until it is told to stop."""

    def __init__(self, redis: Redis, partitions: Sequence[int] = (0, 1)) -> None:
        self._redis = redis
        self._partitions = partitions
        self._is_wanted = True

    async def run(self) -> None:
        number = 0
        while self._is_wanted:
            number += 1
            comment_id = POISONED if number % 50 == 0 else 100 + number % 40
            event = encode_event(comment_event(comment_id))
            try:
                partition = self._partitions[number % len(self._partitions)]
                await self._redis.xadd(STREAMS.key("events", partition), {"event": event})
            except AWAY_OR_REFUSING:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.002)

    def stop(self) -> None:
        self._is_wanted = False


def indexer(seen: Counter[tuple[int, str]]) -> Consumer:
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent, entry: Entry) -> None:
        if event.data.comment_id == POISONED:
            raise Reject("never")
        seen[entry.partition, entry.id] += 1

    return app


def relay() -> Consumer:
    app = Consumer(group="relay", stream="events", output="comments")

    @app.transform("*", together="source", max_subjects=50)
    async def translate(entries: Sequence[Entry]) -> list[Output]:
        return [Output((entry.raw,)) for entry in entries]

    return app


class Running:
    """Consumers in this process, and what their probes say all the time."""

    def __init__(self, url: str, consumers: Sequence[Consumer]) -> None:
        self._stop = asyncio.Event()
        self.ports = [free_port() for _ in consumers]
        self.tasks = [
            asyncio.create_task(run(consumer, self._settings(url, port), self._stop))
            for consumer, port in zip(consumers, self.ports, strict=True)
        ]
        self.unwell: Counter[str] = Counter()

    @staticmethod
    def _settings(url: str, port: int) -> Settings:
        return Settings(
            redis=RedisSettings(url=url, partitions=2),
            consumers=ConsumersSettings(port=port, lease_s=3.0),
        )

    async def are_ready(self) -> bool:
        try:
            return all([(await get(port, "/readyz"))[0] == 200 for port in self.ports])
        except OSError:
            return False

    async def watch(self) -> None:
        while True:
            for port in self.ports:
                status, reason = await get(port, "/healthz")
                if status != 200:
                    self.unwell[reason] += 1
            await asyncio.sleep(0.1)

    async def stop(self) -> None:
        self._stop.set()
        await asyncio.gather(*self.tasks)


async def entries(redis: Redis, stream: str) -> list[tuple[int, str, Any]]:
    found = []
    for partition in range(2):
        page: Any = await redis.xrange(STREAMS.key(stream, partition))
        found += [(partition, one.decode(), decode_event(f[b"event"])) for one, f in page]
    return found


@pytest.mark.parametrize("is_at_once", [False, True], ids=["key by key", "at once"])
async def test_a_slot_that_moves_costs_no_consumer_an_entry_or_a_partition(
    server_binary: ServerBinary, tmp_path: Path, *, is_at_once: bool
) -> None:
    seen: Counter[tuple[int, str]] = Counter()
    with capture_logs() as lines:
        async with redis_cluster(server_binary, tmp_path) as nodes:
            url = url_of(nodes)
            async with connections.control(url) as redis:
                load = Load(redis)
                publishing = asyncio.create_task(load.run())
                running = Running(url, [indexer(seen), relay()])
                await eventually(running.are_ready)
                watching = asyncio.create_task(running.watch())
                try:
                    await there_and_back(nodes, seen, is_at_once=is_at_once)
                finally:
                    load.stop()
                    await publishing
                for group in ("index", "relay"):
                    for partition in range(2):

                        async def is_through(group: str = group, number: int = partition) -> bool:
                            return await settled(redis, STREAMS.key("events", number), group)

                        await eventually(is_through, timeout_s=30)
                await eventually(running.are_ready)
                watching.cancel()
                await running.stop()
                published = await entries(redis, "events")
                written = await entries(redis, "comments")
                dead = [await redis.xlen(STREAMS.dead("index", number)) for number in range(2)]

    good = {(p, one) for p, one, event in published if event.data.comment_id != POISONED}
    assert seen.keys() == good
    assert set(seen.values()) == {1}
    assert sum(dead) == len(published) - len(good)
    ids = [event.id for _p, _id, event in published]
    assert Counter(event.id for _p, _id, event in written) == Counter(ids)
    assert running.unwell == {}
    assert [line["event"] for line in lines].count("partition taken") == 4
    assert "partition lost to another process" not in {line["event"] for line in lines}


async def there_and_back(
    nodes: list[RedisServer], seen: Counter[tuple[int, str]], *, is_at_once: bool
) -> None:
    """Move the slot of the first partition to the other node and back; the other one goes on."""
    for _ in range(2):
        slot = await slot_of(nodes[0], STREAMS.key("events", 0))
        source, target = await holder_of(nodes, slot)
        before = sum(partition == 1 for partition, _id in seen)
        if is_at_once:
            try:
                await move_slot_at_once(source, target, slot)
            except NotAtomic as reason:
                pytest.skip(str(reason))
        else:
            await move_slot(source, target, slot, open_s=3.0)
            assert sum(partition == 1 for partition, _id in seen) > before + 10

        async def goes_on(count: int = len(seen)) -> bool:
            return sum(partition == 0 for partition, _id in seen) > 0 and len(seen) > count + 50

        await eventually(goes_on, timeout_s=30)
