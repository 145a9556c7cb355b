"""A slot of the cluster moves under a receiver and a consumer, and back, in both ways."""

import asyncio

import pytest

from tests.faults.sink import GROUP, SERVICE, Sink
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.slot_moves import NotAtomic, holder_of, move_slot, move_slot_at_once, slot_of
from tests.support.stage import SAFE, Stage, entries_on

_KEY = "b24:events:{0}"


@pytest.mark.short
@pytest.mark.parametrize("how", ["key by key", "at once"])
async def test_a_slot_moves(stage: Stage, how: str) -> None:
    sink = Sink(stage.directory)
    async with redis_cluster(stage.binary, stage.directory, options=SAFE) as nodes:
        url = url_of(nodes)
        receiver = await stage.receiver(url)
        stage.worker(SERVICE, url, sink.environment)
        slot = await slot_of(nodes[0], _KEY)
        async with stage.load(receiver, rate=100) as load:
            await load.until_answered_from("stream", timeout_s=10)
            for _there_and_back in range(2):
                source, target = await holder_of(nodes, slot)
                if how == "key by key":
                    await move_slot(source, target, slot, open_s=stage.span(short=1.5, full=4))
                else:
                    try:
                        await move_slot_at_once(source, target, slot)
                    except NotAtomic as reason:
                        pytest.skip(f"not available here: {reason}")
                await asyncio.sleep(stage.span(short=1, full=3))
            await load.until_answered_from("stream", timeout_s=60)
        await stage.until_drained()
        await stage.until_consumed(url, GROUP)
        stored = [entry.event_id for stream in await entries_on(url) for entry in stream]

        account = await stage.settle(load.deliveries, url)

        assert account.refused == account.unanswered == 0
        assert sorted(row.event_id for row in sink.effects()) == sorted(stored)
        assert sink.outcomes()["refused"] == 0
