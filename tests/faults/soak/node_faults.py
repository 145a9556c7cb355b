"""What is done to nodes of a cluster with replicas: killed, frozen, slots moved between them.

A node is killed only while the cluster is whole (`tests.support.cluster_pairs`), one at a time,
and no slot moves then: what a primary has moved away and the other one's replica has not yet, is
nowhere if that one dies. A fault for which the cluster is not whole in time is put off.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from gateway.local.redis_server import RedisServer
from tests.faults.soak.process_faults import ProcessFaults
from tests.faults.soak.world import STREAMS, World
from tests.support.cluster_pairs import Pair, until_taken_over, until_whole
from tests.support.slot_moves import NotAtomic, holder_of, move_slot, move_slot_at_once, slot_of

__all__ = ["NodeFaults"]

_START_S: Final = 60.0


class NodeFaults:
    """Each fault waits until the cluster is whole, and ends as soon as its node runs again.

    So the next one may find it still catching up, and whatever else happens to processes does so
    meanwhile.
    """

    def __init__(self, world: World, chance: random.Random, processes: ProcessFaults) -> None:
        self._world = world
        self._random = chance
        self._processes = processes
        self.all: dict[str, Callable[[], Awaitable[None]]] = {
            "primary killed": self._kill_primary,
            "replica killed": self._kill_replica,
            "node frozen": self._freeze,
            "slot moved": self._move_slot,
            "slot moved at once": self._move_slot_at_once,
        }

    async def _pair(self) -> Pair:
        return self._random.choice(await until_whole(self._world.nodes))

    async def _kill_primary(self) -> None:
        """Its replica takes over; then it comes back as that one's replica."""
        pair = await self._pair()
        pair.primary.kill()
        if self._random.random() < 0.5:
            await self._processes.killed()
        await until_taken_over(pair.replica)
        await asyncio.sleep(self._random.uniform(0, 5))
        await _start(pair.primary)

    async def _kill_replica(self) -> None:
        """Meanwhile its primary confirms nothing, and events wait in the spool."""
        pair = await self._pair()
        pair.replica.kill()
        await asyncio.sleep(self._random.uniform(0.5, 8))
        await _start(pair.replica)

    async def _freeze(self) -> None:
        """A primary that is frozen long enough finds that another one has taken its place."""
        pair = await self._pair()
        node = self._random.choice([pair.primary, pair.replica])
        node.pause()
        await asyncio.sleep(self._random.uniform(1, 12))
        node.resume()

    async def _move_slot(self) -> None:
        slot, source, target = await self._slot()
        await move_slot(source, target, slot, open_s=self._random.uniform(0, 3))

    async def _move_slot_at_once(self) -> None:
        slot, source, target = await self._slot()
        with suppress(NotAtomic):
            await move_slot_at_once(source, target, slot)

    async def _slot(self) -> tuple[int, RedisServer, RedisServer]:
        """That of a partition, or of what waits for people; where it is, and where it goes."""
        pairs = await until_whole(self._world.nodes)
        tags = [*map(str, range(STREAMS.partitions)), "people/1"]
        slot = await slot_of(pairs[0].primary, f"{{{self._random.choice(tags)}}}")
        source, _other = await holder_of([pair.primary for pair in pairs], slot)
        others = [pair.primary for pair in pairs if pair.primary is not source]
        return slot, source, self._random.choice(others)


async def _start(node: RedisServer) -> None:
    await asyncio.to_thread(node.start, timeout_s=_START_S)
