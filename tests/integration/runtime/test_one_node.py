"""What one node of several cannot do costs nothing on the others, and heals where it is."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.contract import Streams
from gateway.local.redis_server import ServerBinary
from gateway.redis_access import connections
from tests.integration.runtime.running import settled
from tests.integration.runtime.test_slot_moves import Load, Running, indexer, relay
from tests.support.eventually import eventually
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.slot_moves import holder_of, move_slot, slot_of

STREAMS = Streams(partitions=2)


async def take_a_right(client: Any) -> None:
    await client.execute_command("ACL", "SETUSER", "default", "-xack")


async def give_it_back(client: Any) -> None:
    await client.execute_command("ACL", "SETUSER", "default", "+xack")


async def pause(client: Any) -> None:
    # Longer than a lease lasts, while the nodes go on to hear of each other.
    await client.execute_command("CLIENT", "PAUSE", 5000, "ALL")


async def nothing(_client: Any) -> None:
    """The pause ends by itself."""


@pytest.mark.parametrize(
    ("fault", "cure"),
    [(take_a_right, give_it_back), (pause, nothing)],
    ids=["it refuses to acknowledge", "it hangs"],
)
async def test_a_node_that_fails_costs_the_partitions_of_others_nothing(
    server_binary: ServerBinary, tmp_path: Path, fault: Any, cure: Any
) -> None:
    seen: Counter[tuple[int, str]] = Counter()
    with capture_logs() as lines:
        async with redis_cluster(server_binary, tmp_path) as nodes:
            url = url_of(nodes)
            slot = await slot_of(nodes[0], STREAMS.key("events", 0))
            healthy, sick = await holder_of(nodes, slot)
            await move_slot(healthy, sick, slot, open_s=0.0)
            slot = await slot_of(nodes[0], STREAMS.key("events", 1))
            assert (await holder_of(nodes, slot))[0] is healthy
            async with connections.control(url) as redis, connections.control(sick.url) as its:
                running = Running(url, [indexer(seen), relay()])
                await eventually(running.are_ready)
                load = Load(redis, partitions=[1])
                publishing = asyncio.create_task(load.run())
                await eventually(lambda: len(seen) > 20)
                await fault(its)
                failing = asyncio.create_task(Load(redis, partitions=[0]).run())

                async def is_unwell() -> bool:
                    return not await running.are_ready()

                await eventually(is_unwell)
                before = len(seen)
                await eventually(lambda: sum(number == 1 for number, _id in seen) > before + 100)
                await cure(its)
                await eventually(running.are_ready, timeout_s=30)
                failing.cancel()
                load.stop()
                await publishing
                for group in ("index", "relay"):
                    for partition in range(2):

                        async def is_through(group: str = group, number: int = partition) -> bool:
                            return await settled(redis, STREAMS.key("events", number), group)

                        await eventually(is_through, timeout_s=30)
                await running.stop()

    taken = [line["partition"] for line in lines if line["event"] == "partition taken"]
    assert taken.count(1) == 2
    assert set(seen.values()) == {1}
