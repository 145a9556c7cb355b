"""A cluster whose primaries have replicas: in short what `make soak-cluster` does at length."""

import asyncio

import pytest

from gateway.contract import Streams
from tests.faults.sink import GROUP, SERVICE, Sink
from tests.support.cluster_pairs import until_taken_over, until_whole
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.slot_moves import holder_of, move_slot, slot_of
from tests.support.stage import SAFE, Stage, entries_on

_KEY = Streams(partitions=2).key("events", 0)


@pytest.mark.short
@pytest.mark.timeout(300)  # a failover waits for nodes to agree, on a busy machine for long
async def test_a_primary_dies_comes_back_as_a_replica_and_its_slot_moves(stage: Stage) -> None:
    sink = Sink(stage.directory)
    async with redis_cluster(
        stage.binary, stage.directory, primaries=3, replicas=3, options=SAFE
    ) as nodes:
        url = url_of(nodes)
        await until_whole(nodes)
        receiver = await stage.receiver(url, {"PUBLISH_ACK": "replicated:1"})
        stage.worker(SERVICE, url, sink.environment)
        slot = await slot_of(nodes[0], _KEY)
        async with stage.load(receiver, rate=100) as load:
            await load.until_answered_from("stream", timeout_s=10)
            holder, _ = await holder_of(nodes, slot)
            pair = next(one for one in await until_whole(nodes) if one.primary is holder)
            holder.kill()
            await until_taken_over(pair.replica)
            # Alone it confirms nothing: events wait in the spool until it has a replica, too.
            await load.until_answered_from("spool", timeout_s=20)
            await asyncio.to_thread(holder.start)
            await until_whole(nodes)
            source, target = await holder_of(nodes, slot)
            await move_slot(source, target, slot, open_s=stage.span(short=1, full=4))
            await stage.until_drained()
            await load.until_answered_from("stream", timeout_s=60)
        await stage.until_drained()
        await stage.until_consumed(url, GROUP)
        stored = [entry.event_id for stream in await entries_on(url) for entry in stream]

        account = await stage.settle(load.deliveries, url)

        assert source is pair.replica
        assert account.spooled > 0
        assert account.refused == account.unanswered == 0
        assert sorted(row.event_id for row in sink.effects()) == sorted(stored)
        assert sink.outcomes()["refused"] == 0
