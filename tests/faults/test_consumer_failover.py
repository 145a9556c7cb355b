"""A replica takes over under a consumer: what was confirmed is handled, by the same owner."""

import asyncio
import itertools
from collections import Counter

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from consumers import CommentEvent, Consumer
from gateway.contract import EventSubject, Streams, encode_event
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, running, settled
from tests.support.eventually import eventually
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.stage import COUNTED, Stage

GROUP = "search-index"
STREAMS = Streams(partitions=6)


class Publishing:
    """Events for all partitions, one after the other; `confirmed` are those that Redis took."""

    def __init__(self, url: str) -> None:
        self.confirmed: list[str] = []
        self._url = url
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        redis = connections.publisher(self._url, timeout_s=2)
        for number in itertools.count():
            if self._is_over.is_set():
                break
            event = comment_event(number % 40 + 1)
            partition = STREAMS.partition_of(
                "portal", EventSubject.of_comment(event.data.comment_id)
            )
            key = STREAMS.key("events", partition)
            try:
                await redis.xadd(key, {"event": encode_event(event)})
            except (*connections.AWAY, RedisError):
                await asyncio.sleep(0.05)
                continue
            self.confirmed.append(event.id)
            await asyncio.sleep(0.005)
        await redis.aclose()

    def end(self) -> None:
        self._is_over.set()


@pytest.mark.short
async def test_a_node_of_a_cluster_dies_under_a_consumer(stage: Stage) -> None:
    seen: Counter[str] = Counter()
    by_partition: Counter[int] = Counter()
    app = Consumer(group=GROUP, stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        await asyncio.sleep(0.002)
        seen[event.id] += 1
        by_partition[
            STREAMS.partition_of("portal", EventSubject.of_comment(event.data.comment_id))
        ] += 1

    async with redis_cluster(stage.binary, stage.directory, primaries=3, replicas=1) as nodes:
        url = url_of(nodes)
        async with connections.control(url) as redis:
            hit = await partitions_on(redis, nodes[0])
            publishing = Publishing(url)
            loading = asyncio.create_task(publishing.run())
            async with running(app, url, partitions=6) as consuming:
                await eventually(lambda: len(by_partition) == 6)
                epochs = await epochs_of(redis)
                # What is confirmed by the primary alone may go with it, so the load pauses.
                publishing.end()
                await loading
                await eventually(lambda: seen.keys() >= set(publishing.confirmed))
                await eventually(lambda: is_in_step(nodes[0]))
                nodes[0].kill()
                before = by_partition.copy()
                second = Publishing(url)
                loading = asyncio.create_task(second.run())
                await eventually(
                    lambda: all(by_partition[one] > before[one] + 5 for one in range(6)),
                    timeout_s=30,
                )
                second.end()
                await loading
                confirmed = {*publishing.confirmed, *second.confirmed}
                await eventually(lambda: seen.keys() >= confirmed, timeout_s=30)

                async def is_settled() -> bool:
                    return all([await settled(redis, key, GROUP) for key in STREAMS.keys("events")])

                await eventually(is_settled, timeout_s=30)
                assert not consuming.done()
                after = await epochs_of(redis)

    assert 0 < len(hit) < 6
    assert after == epochs  # nobody else ever owned a partition
    assert max(seen.values()) == 1  # the process lived: nothing is even handled twice
    stage.remark = COUNTED


async def partitions_on(redis: Redis, node: RedisServer) -> set[int]:
    found = set()
    for number, key in enumerate(STREAMS.keys("events")):
        holder = redis.get_node_from_key(key)  # type: ignore[attr-defined]
        if int(holder.port) == node.port:
            found.add(number)
    return found


async def epochs_of(redis: Redis) -> list[bytes | str | None]:
    leases = [STREAMS.lease(GROUP, number) for number in range(6)]
    return [await redis.hget(lease, "epoch") for lease in leases]


async def is_in_step(node: RedisServer) -> bool:
    """Whether the node's replica has all that the node has."""
    async with connections.control(node.url) as client:
        told = await client.info("replication")
    return bool(told["slave0"]["offset"] == told["master_repl_offset"])
