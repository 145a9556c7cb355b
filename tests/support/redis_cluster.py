"""A real Redis Cluster on loopback, for a test."""

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

__all__ = ["redis_cluster", "url_of"]

_SLOTS = 16384
_OPTIONS = (
    *("--cluster-enabled", "yes", "--cluster-node-timeout", "2000"),
    *("--repl-diskless-sync-delay", "0"),
)


def url_of(nodes: Sequence[RedisServer]) -> str:
    """The URL of the cluster that these nodes form."""
    return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)


@asynccontextmanager
async def redis_cluster(
    binary: ServerBinary,
    directory: Path,
    *,
    primaries: int = 2,
    has_replica: bool = False,
    options: Sequence[str] = (),
) -> AsyncIterator[list[RedisServer]]:
    """Nodes that share the slots evenly; with `has_replica` the last one is a replica of the first.

    A failover needs the votes of most primaries, so it takes three of them.
    """
    async with AsyncExitStack() as stack:
        nodes, clients, buses = [], [], []
        for number in range(primaries + has_replica):
            bus = free_port()
            node = RedisServer(
                binary,
                directory / f"node-{number}",
                append_only=True,
                options=(*_OPTIONS, "--cluster-port", str(bus), *options),
            )
            node.start()
            stack.callback(node.stop)
            client: Any = connections.control(node.url)
            stack.push_async_callback(client.aclose)
            nodes.append(node)
            clients.append(client)
            buses.append(bus)
        for number, client in enumerate(clients[:primaries]):
            first, end = number * _SLOTS // primaries, (number + 1) * _SLOTS // primaries
            await client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
            # Else two nodes may claim the same epoch, and settle that only in the first failover.
            await client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            await clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)

        async def agree() -> bool:
            infos = [await client.execute_command("CLUSTER", "INFO") for client in clients]
            known = f"cluster_known_nodes:{len(nodes)}\r".encode()
            return all(b"cluster_state:ok" in info and known in info for info in infos)

        await eventually(agree)
        if has_replica:
            await _replicate(clients[0], clients[-1])
        yield nodes
    _collect_nodes()


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
