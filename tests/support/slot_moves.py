"""Slots of a real cluster that move from one node to another, in the two ways that there are.

The old way is what `redis-cli --cluster reshard` does: the slot is opened on both nodes, its keys
move one by one, and meanwhile commands are answered ASK and TRYAGAIN.
https://redis.io/docs/latest/commands/cluster-setslot/
The new one moves a slot at once (Valkey 9.0, Redis 8.4).
https://valkey.io/commands/cluster-migrateslots/
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from redis.exceptions import ClusterDownError, ResponseError

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from gateway.redis_access.redis_url import RedisAddress
from tests.support.eventually import eventually

__all__ = [
    "NobodyHoldsIt",
    "NotAtomic",
    "holder_of",
    "move_all_slots_at_once",
    "move_slot",
    "move_slot_at_once",
    "slot_of",
]

_PATIENCE_S: Final = 30.0


class NobodyHoldsIt(Exception):
    """None of these nodes serves the slot."""


class NotAtomic(Exception):
    """This server moves slots in the old way only."""


async def slot_of(node: RedisServer, key: str) -> int:
    """The slot of a key."""
    async with _client(node) as client:
        return int(await client.execute_command("CLUSTER", "KEYSLOT", key))


async def holder_of(nodes: list[RedisServer], slot: int) -> tuple[RedisServer, RedisServer]:
    """The node that holds a slot, and another primary. Raises NobodyHoldsIt."""
    for node in nodes:
        if await _holds(node, slot):
            others = [one for one in nodes if one is not node and await _is_primary(one)]
            return node, others[0]
    raise NobodyHoldsIt(slot)


async def move_slot(source: RedisServer, target: RedisServer, slot: int, *, open_s: float) -> None:
    """Move a slot in the old way; for `open_s` seconds half of its keys are on either side."""
    async with _client(source) as giver, _client(target) as taker:
        giver_id, taker_id = await _id(giver), await _id(taker)
        await taker.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", giver_id)
        await giver.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", taker_id)
        keys: list[bytes] = await giver.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10_000)
        await _migrate(giver, target, keys[: (len(keys) + 1) // 2])
        await asyncio.sleep(open_s)
        while keys := await giver.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 10_000):
            await _migrate(giver, target, keys)
        await taker.execute_command("CLUSTER", "SETSLOT", slot, "NODE", taker_id)
        try:
            await giver.execute_command("CLUSTER", "SETSLOT", slot, "NODE", taker_id)
        except ResponseError as error:
            # It has heard of it already, and who has no slot left becomes a replica.
            if "only with masters" not in str(error):
                raise


async def move_slot_at_once(source: RedisServer, target: RedisServer, slot: int) -> None:
    """Move a slot in the new way, and wait until it has moved. Raises NotAtomic."""
    await _move_range_at_once(source, target, slot, slot)


async def move_all_slots_at_once(source: RedisServer, target: RedisServer) -> None:
    """Move everything that a node has in the new way. Raises NotAtomic."""
    for first, last in await _ranges_of(source):
        await _move_range_at_once(source, target, first, last)


async def _move_range_at_once(
    source: RedisServer, target: RedisServer, first: int, last: int
) -> None:
    async with _client(source) as giver, _client(target) as taker:
        try:
            await giver.execute_command(
                *("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", first, last, "NODE", await _id(taker))
            )
        except ResponseError as valkey_error:
            try:
                await taker.execute_command("CLUSTER", "MIGRATION", "IMPORT", first, last)
            except ResponseError as error:
                raise NotAtomic(str(valkey_error)) from error

    async def have_moved() -> bool:
        return await _holds(target, last) and not await _holds(source, last)

    await eventually(have_moved, timeout_s=30)


@asynccontextmanager
async def _client(node: RedisServer) -> AsyncIterator[Any]:
    async with connections.control(node.url, timeout_s=_PATIENCE_S) as client:
        yield client


async def _holds(node: RedisServer, slot: int) -> bool:
    """Whether a node says of itself that it serves a slot."""
    return any(first <= slot <= last for first, last in await _ranges_of(node))


async def _ranges_of(node: RedisServer) -> list[tuple[int, int]]:
    """The slots that a node says it serves itself: the first and the last of each range."""
    async with _client(node) as client:
        rows: Any = await client.execute_command("CLUSTER", "SLOTS")
    return [(int(row[0]), int(row[1])) for row in rows if int(row[2][1]) == node.port]


async def _is_primary(node: RedisServer) -> bool:
    async with _client(node) as client:
        told: Any = await client.info("replication")
    return bool(told["role"] == "master")


async def _id(client: Any) -> bytes:
    node_id: bytes = await client.execute_command("CLUSTER", "MYID")
    return node_id


async def _migrate(client: Any, target: RedisServer, keys: list[bytes]) -> None:
    """Move keys; as long as it takes a node that has just been away to know the others again."""
    if not keys:
        return
    password = RedisAddress.of(target.url).password
    account = ("AUTH", password) if password else ()
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            await client.execute_command(
                *("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, *account, "KEYS", *keys)
            )
        except ResponseError as error:
            # The node that is asked says so, or passes on what the other one says.
            is_down = isinstance(error, ClusterDownError) or "CLUSTERDOWN" in str(error)
            if not is_down or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)
        else:
            return
