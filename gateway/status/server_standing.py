"""Asks a Redis server, or each primary of a cluster, what it is and how it is. Only reads."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from redis.asyncio import Redis, RedisCluster

from gateway.redis_access.server_memory import memory_share

__all__ = ["ServerStanding", "server_standings", "standing_of"]


class ServerStanding(Struct, frozen=True, kw_only=True):
    """One server. `name` is a cluster's node; `max_bytes` 0: no limit; `policy` is what it does
    when its memory is full. `failed` names what it could not write, or is still at.
    """

    name: str
    version: str
    used_bytes: int
    max_bytes: int
    share: float
    policy: str
    has_append_only_file: bool
    failed: tuple[str, ...]


async def server_standings(client: Redis) -> list[ServerStanding]:
    """Each server; raises what a control client raises. Needs the right to INFO."""
    cluster: Any = client  # which may be a cluster's (gateway.redis_access.connections)
    if not isinstance(cluster, RedisCluster):
        return [standing_of("", await client.info())]
    await cluster.initialize()
    return [
        standing_of(node.name, await cluster.info(target_nodes=node))
        for node in cluster.get_primaries()
    ]


def standing_of(name: str, info: Mapping[str, Any]) -> ServerStanding:
    """What `INFO` says of a server. Pure."""
    kind = "Valkey" if "valkey_version" in info else "Redis"
    version = info.get("valkey_version") or info.get("redis_version", "?")
    return ServerStanding(
        name=name,
        version=f"{kind} {version}",
        used_bytes=info.get("used_memory", 0),
        max_bytes=info.get("maxmemory", 0),
        share=memory_share(info) if "used_memory" in info else 0.0,
        policy=info.get("maxmemory_policy", "unknown"),
        has_append_only_file=bool(info.get("aof_enabled")),
        failed=tuple(_failed(info)),
    )


def _failed(info: Mapping[str, Any]) -> list[str]:
    found = []
    if info.get("loading"):
        found.append("it is loading its data still")
    if info.get("aof_enabled") and info.get("aof_last_write_status") == "err":
        found.append("it cannot write its append-only file")
    if info.get("aof_last_bgrewrite_status") == "err":
        found.append("its append-only file could not be rewritten, and grows")
    if info.get("rdb_last_bgsave_status") == "err":
        found.append("its last snapshot failed")
    if info.get("role") == "slave":
        found.append("it is a replica, and takes no events")
    return found
