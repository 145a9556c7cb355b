"""A real Redis Cluster on loopback, for a test."""

import asyncio
import gc
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.redis_access import connections
from tests.support.eventually import eventually
from tests.support.guarded_server import Guard, GuardedServer

__all__ = ["cluster_node", "forget", "meet", "redis_cluster", "url_of"]

_SLOTS = 16384
_OPTIONS = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", "2000"),
    *("--repl-diskless-sync-delay", "0"),
)
_OPEN = Guard()


def url_of(nodes: Sequence[RedisServer]) -> str:
    """The URL of the cluster that these nodes form, if it asks nobody for anything."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


def cluster_node(
    binary: ServerBinary,
    directory: Path,
    *,
    guard: Guard = _OPEN,
    options: Sequence[str] = (),
) -> GuardedServer:
    """A node that is not started, and of no cluster."""
    bus = ("--cluster-port", str(free_port()))
    return GuardedServer(binary, directory, guard, options=(*_OPTIONS, *bus, *options))


@asynccontextmanager
async def redis_cluster(
    binary: ServerBinary,
    directory: Path,
    *,
    primaries: int = 2,
    replicas: int = 0,
    guard: Guard = _OPEN,
    options: Sequence[str] = (),
) -> AsyncIterator[list[RedisServer]]:
    """Nodes that share the slots evenly, behind them the replicas: of the first one, the second, …

    A failover needs the votes of most primaries, so it takes three of them.
    """
    async with AsyncExitStack() as stack:
        nodes: list[RedisServer] = []
        clients: list[Any] = []
        for number in range(primaries + replicas):
            node = cluster_node(binary, directory / f"node-{number}", guard=guard, options=options)
            stack.callback(node.stop)
            node.start()
            nodes.append(node)
            clients.append(await stack.enter_async_context(connections.control(node.url)))
        for number, client in enumerate(clients[:primaries]):
            first, end = number * _SLOTS // primaries, (number + 1) * _SLOTS // primaries
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            # Else two nodes may claim the same epoch, and settle that only in the first failover.
            await client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        await meet(nodes)
        for number in range(replicas):
            await _replicate(clients[number % primaries], clients[primaries + number])
        yield nodes
    _collect_nodes()


async def meet(nodes: Sequence[RedisServer]) -> None:
    """Make the first node know the others, and wait until all know each other."""
    async with AsyncExitStack() as stack:
        clients: list[Any] = [
            await stack.enter_async_context(connections.control(node.url)) for node in nodes
        ]
        for node, client in zip(nodes[1:], clients[1:], strict=True):
            port, bus = node.port, await _bus_of(client)
            await clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)

        async def agree() -> bool:
            infos = [await client.execute_command("CLUSTER", "INFO") for client in clients]
            known = f"cluster_known_nodes:{len(nodes)}\r".encode()
            return all(b"cluster_state:ok" in info and known in info for info in infos)

        await eventually(agree)


async def forget(leaver: RedisServer, nodes: Sequence[RedisServer]) -> None:
    """Take a node that has no slot any more out of the cluster that the others are."""
    async with connections.control(leaver.url) as one:
        client: Any = one
        leaver_id = await client.execute_command("CLUSTER", "MYID")
    for node in nodes:
        async with connections.control(node.url) as one:
            client = one

            async def is_forgotten(client: Any = client) -> bool:
                try:
                    await client.execute_command("CLUSTER", "FORGET", leaver_id)
                except ResponseError:  # it still is a replica of that one
                    return False
                return True

            await eventually(is_forgotten)
    # It may wait for a replica at its end; a load goes on meanwhile.
    await asyncio.to_thread(leaver.stop)


async def _bus_of(client: Any) -> int:
    """The port at which a node talks with the others."""
    known: bytes = await client.execute_command("CLUSTER", "NODES")
    (told,) = [line for line in known.splitlines() if b"myself" in line]
    return int(told.split()[1].partition(b"@")[2].partition(b",")[0])


def _collect_nodes() -> None:
    """Collect what redis-py leaves of nodes that changed their parts: it disconnects none of them.

    Here, where they belong, and not in a later test, which their warnings would fail.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


async def _replicate(primary: Any, replica: Any) -> None:
    primary_id = await primary.execute_command("CLUSTER", "MYID")

    async def is_accepted() -> bool:
        try:
            await replica.execute_command("CLUSTER", "REPLICATE", primary_id)
        except ResponseError:  # it does not know the primary's role yet
            return False
        return True

    async def is_in_step() -> bool:
        link: str = (await replica.info("replication")).get("master_link_status", "")
        return link == "up"

    await eventually(is_accepted)
    await eventually(is_in_step)
