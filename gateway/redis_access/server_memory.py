"""Asks how much of its memory each Redis server has used: the one server, or a cluster's nodes."""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from redis.asyncio import Redis, RedisCluster

__all__ = ["ServerMemory", "memory_by_server", "memory_share"]


class ServerMemory(Struct, frozen=True, kw_only=True):
    """A server's used share of `maxmemory`; 0: it has no limit.

    `places` says which of the keys that were asked about it holds, by their positions.
    """

    share: float
    places: tuple[int, ...]


def memory_share(memory: Mapping[str, Any]) -> float:
    """The used share of `maxmemory`, from `INFO memory`; 0 if there is no limit.

    Buffers of replicas and of the append-only file do not count, as they do not for Redis itself.
    """
    limit = memory.get("maxmemory") or 0
    used = memory["used_memory"] - memory.get("mem_not_counted_for_evict", 0)
    return float(used / limit) if limit else 0.0


async def memory_by_server(client: Redis, keys: Sequence[str]) -> list[ServerMemory]:
    """The memory of each server that holds some of the keys; one call each.

    A cluster's nodes fill by themselves, each with what its keys take. Raises RedisError and its
    like.
    """
    cluster: Any = client  # which may be a cluster's (gateway.redis_access.connections)
    if not isinstance(cluster, RedisCluster):
        share = memory_share(await client.info("memory"))
        return [ServerMemory(share=share, places=tuple(range(len(keys))))]
    await cluster.initialize()
    nodes: dict[str, Any] = {}
    places: dict[str, list[int]] = {}
    for place, key in enumerate(keys):
        node: Any = cluster.get_node_from_key(key)
        nodes[node.name] = node
        places.setdefault(node.name, []).append(place)
    return [
        ServerMemory(
            share=memory_share(await cluster.info("memory", target_nodes=nodes[name])),
            places=tuple(found),
        )
        for name, found in places.items()
    ]
