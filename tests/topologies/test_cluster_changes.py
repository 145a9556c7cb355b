"""The nodes of a cluster change under load: slots move, in both ways; nodes come and go."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.local.redis_server import RedisServer
from tests.integration.runtime.running import gateway
from tests.support.redis_cluster import cluster_node, forget, meet
from tests.support.slot_moves import (
    NotAtomic,
    holder_of,
    move_all_slots_at_once,
    move_slot,
    move_slot_at_once,
    slot_of,
)
from tests.support.stage import SAFE, Stage
from tests.topologies.consumers_at_work import consumers_at_work
from tests.topologies.deployments import CLUSTERS, Deployment
from tests.topologies.settling import settle, until_sent

Move = Callable[[RedisServer, RedisServer, int], Awaitable[None]]


async def _key_by_key(source: RedisServer, target: RedisServer, slot: int) -> None:
    await move_slot(source, target, slot, open_s=3)


_WAYS: dict[str, Move] = {"key by key": _key_by_key, "at once": move_slot_at_once}


@pytest.mark.on(*CLUSTERS)
@pytest.mark.parametrize("how", _WAYS)
async def test_slots_move(stage: Stage, deployment: Deployment, how: str) -> None:
    """Of two partitions, one after the other, to another node and back."""
    receiver = await stage.receiver(deployment.setting)
    primaries = deployment.servers[:3]
    async with consumers_at_work(stage, deployment.url, deployment.setting) as consumers:
        async with stage.load(receiver, rate=50) as load:
            await load.until_answered_from("stream", timeout_s=20)
            for partition in (0, 1, 0, 1):
                slot = await slot_of(primaries[0], stage.streams.key("events", partition))
                source, target = await holder_of(primaries, slot)
                try:
                    await _WAYS[how](source, target, slot)
                except NotAtomic:
                    pytest.skip(f"not here: {stage.binary.name} does not move slots at once")
                await until_sent(load, 50)
            await load.until_answered_from("stream", timeout_s=60)

        account = await settle(stage, load, consumers, deployment)

    assert account.refused == account.unanswered == 0


@pytest.mark.on(*CLUSTERS)
async def test_a_node_comes_and_goes(stage: Stage, deployment: Deployment) -> None:
    """It takes the slot of a partition, has it for a while, and gives it back."""
    receiver = await stage.receiver(deployment.setting)
    newcomer = cluster_node(
        stage.binary, stage.directory / "newcomer", guard=deployment.guard, options=SAFE
    )
    try:
        async with consumers_at_work(stage, deployment.url, deployment.setting) as consumers:
            async with stage.load(receiver, rate=50) as load:
                await load.until_answered_from("stream", timeout_s=20)
                newcomer.start()
                await meet([*deployment.servers, newcomer])
                slot = await slot_of(newcomer, stage.streams.key("events", 0))
                source, _other = await holder_of(deployment.servers, slot)
                await move_slot(source, newcomer, slot, open_s=1)
                await until_sent(load, 100)
                await move_slot(newcomer, source, slot, open_s=1)
                await forget(newcomer, deployment.servers)
                await until_sent(load, 100)
                await load.until_answered_from("stream", timeout_s=60)

            account = await settle(stage, load, consumers, deployment)
    finally:
        newcomer.stop()

    assert account.refused == account.unanswered == 0


@pytest.mark.on(*CLUSTERS)
async def test_a_node_is_replaced(stage: Stage, deployment: Deployment) -> None:
    """All that the first node of the URL has goes to a new one at once, and it leaves for good."""
    receiver = await stage.receiver(deployment.setting)
    newcomer = cluster_node(
        stage.binary, stage.directory / "newcomer", guard=deployment.guard, options=SAFE
    )
    try:
        async with consumers_at_work(stage, deployment.url, deployment.setting) as consumers:
            async with stage.load(receiver, rate=50) as load:
                await load.until_answered_from("stream", timeout_s=20)
                newcomer.start()
                await meet([*deployment.servers, newcomer])
                leaver, *others = deployment.servers
                try:
                    await move_all_slots_at_once(leaver, newcomer)
                except NotAtomic:
                    pytest.skip(f"not here: {stage.binary.name} does not move slots at once")
                await until_sent(load, 50)
                await forget(leaver, [*others, newcomer])
                await until_sent(load, 100)
                await load.until_answered_from("stream", timeout_s=60)

            # Who begins only now finds the way past the node that is gone.
            partitions = str(stage.streams.partitions)
            told = await gateway(deployment.url, "groups", GATEWAY_REDIS_PARTITIONS=partitions)
            account = await settle(stage, load, consumers, deployment)
    finally:
        newcomer.stop()

    assert "enricher" in told
    assert account.refused == account.unanswered == 0
