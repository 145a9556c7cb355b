"""`publish.ack` on a cluster: each node is asked about what it wrote itself."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.contract import Streams
from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.publishing.durability import Ack, NotDurable, check_at_start, waits_for_disk
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import stream_writer
from gateway.redis_access import connections
from gateway.settings import PublishSettings, RedisSettings
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.slot_moves import holder_of, move_slot, slot_of

REPLICATED = PublishSettings(ack="replicated:1", deadline_s=0.5)
STREAMS = Streams(partitions=4)


@pytest.fixture
async def nodes(server_binary: ServerBinary, tmp_path: Path) -> AsyncIterator[list[RedisServer]]:
    """Two primaries, of which the first has a replica."""
    async with redis_cluster(server_binary, tmp_path, primaries=2, replicas=1) as found:
        yield found


async def partitions_of(nodes: list[RedisServer]) -> tuple[int, int]:
    """One on the primary that has a replica, and one on the other."""
    held: dict[int, int] = {}
    for partition, key in enumerate(STREAMS.keys("events")):
        holder, _ = await holder_of(nodes, await slot_of(nodes[0], key))
        held.setdefault(nodes.index(holder), partition)
    return held[0], held[1]


async def test_a_batch_is_confirmed_by_replicas_of_the_node_that_wrote_it(
    nodes: list[RedisServer],
) -> None:
    redis = RedisSettings(url=url_of(nodes), partitions=STREAMS.partitions)
    copied, alone = await partitions_of(nodes)
    writers = {one: stream_writer(redis, REPLICATED, one) for one in (copied, alone)}

    assert await writers[copied].write(STREAMS.producer(copied, "p"), 1, [b"event"])
    with pytest.raises(StreamUnavailable, match="not_durable"):
        await writers[alone].write(STREAMS.producer(alone, "p"), 1, [b"event"])

    for writer in writers.values():
        await writer.close()


async def test_a_batch_whose_slot_has_moved_is_confirmed_where_it_is_now(
    nodes: list[RedisServer],
) -> None:
    redis = RedisSettings(url=url_of(nodes), partitions=STREAMS.partitions)
    copied, alone = await partitions_of(nodes)
    writers = {one: stream_writer(redis, REPLICATED, one) for one in (copied, alone)}
    assert await writers[copied].write(STREAMS.producer(copied, "p"), 1, [b"event"])
    with pytest.raises(StreamUnavailable, match="not_durable"):
        await writers[alone].write(STREAMS.producer(alone, "p"), 1, [b"event"])

    for partition in (copied, alone):
        slot = await slot_of(nodes[0], STREAMS.key("events", partition))
        source, target = await holder_of(nodes, slot)
        await move_slot(source, target, slot, open_s=0.0)

    ids = await writers[alone].write(STREAMS.producer(alone, "p"), 1, [b"event"])
    with pytest.raises(StreamUnavailable, match="not_durable"):
        await writers[copied].write(STREAMS.producer(copied, "p"), 2, [b"event"])

    for writer in writers.values():
        await writer.close()
    async with connections.control(redis.url) as client:
        entries: Any = await client.xrange(STREAMS.key("events", alone))
    assert [entry for entry, _ in entries] == [ids]


async def test_a_primary_without_a_replica_is_told_of_whichever_it_is(
    nodes: list[RedisServer],
) -> None:
    async with connections.control(url_of(nodes)) as client:
        with capture_logs() as logs:
            await check_at_start(client, Ack(replicas=1))

    assert [(line["connected"], line["wanted"]) for line in logs] == [(0, 1)]


async def test_a_node_that_cannot_keep_the_promise_is_found_whichever_it_is(
    nodes: list[RedisServer],
) -> None:
    for node in nodes[:2]:
        async with (
            connections.control(node.url) as direct,
            connections.control(url_of(nodes)) as client,
        ):
            await direct.config_set("appendonly", "no")
            with pytest.raises(NotDurable, match="appendonly yes"):
                await waits_for_disk(client)
            await direct.config_set("appendonly", "yes")
