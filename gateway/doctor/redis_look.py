"""Asks the Redis server, or each primary of a cluster, what it says of itself. Changes nothing."""

import time
from collections.abc import Mapping
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import NoPermissionError, ResponseError

from gateway.doctor.finding import Finding, note, red, warning, well
from gateway.doctor.redis_accounts import RedisAccount
from gateway.doctor.redis_roles import calls_of, possible_accounts
from gateway.doctor.redis_rules import judge_clock, judge_server, name_of
from gateway.publishing.durability import Ack, NotDurable, waits_for_disk
from gateway.redis_access.redis_url import RedisAddress
from gateway.settings import Settings

__all__ = ["look_at_redis", "look_at_rights"]


async def look_at_redis(client: Redis, settings: Settings) -> list[Finding]:
    """What is dangerous about the server, or about each node; raises what a control client raises.

    Needs the right to `INFO` and `TIME`, which every process has.
    """
    ack = Ack.parse(settings.publish.ack)
    share = settings.retention.max_memory_share
    nodes = await _infos(client)
    found: list[Finding] = []
    for name, info in nodes.items():
        where = f"{name}: " if len(nodes) > 1 else ""
        found += [
            Finding(
                check=one.check, severity=one.severity, what=where + one.what, remedy=one.remedy
            )
            for one in judge_server(info, ack=ack, max_memory_share=share)
        ]
    before = time.time()
    seconds, microseconds = await client.time()
    ahead_s = seconds + microseconds / 1e6 - (before + time.time()) / 2
    found += judge_clock(ahead_s)
    found += await _cluster(client)
    found += await _durability(client, ack, nodes)
    if not found:
        names = ", ".join(dict.fromkeys(map(name_of, nodes.values())))
        found.append(well("redis", f"{RedisAddress.of(settings.redis.url)} is {names}"))
    return found


async def look_at_rights(client: Redis, role: str, prefix: str) -> list[Finding]:
    """Which commands of a role this user may not carry out, by `ACL DRYRUN` where that is allowed.

    https://redis.io/docs/latest/commands/acl-dryrun/
    """
    try:
        user = (await _asked(client, "ACL", "WHOAMI")).decode()
        if user == "default":
            return [
                note(
                    "redis rights",
                    "this is Redis's default user: whoever reads one process's settings may do all",
                    "give each process a user of its own (docs/redis-rights.md)",
                )
            ]
        lacking = min(
            [await _lacking(client, user, one, prefix) for one in possible_accounts(role, user)],
            key=len,
        )
    except (NoPermissionError, ResponseError):
        return [
            note(
                "redis rights",
                "what this user may do cannot be asked",
                "allow it +acl|whoami and +acl|dryrun; processes find out by themselves, too",
            )
        ]
    if lacking:
        return [
            red(
                "redis rights",
                f"user {user} may not {', '.join(one.upper() for one in lacking)} as a {role} must",
                "give it the rights of docs/redis-rights.md",
            )
        ]
    return [well("redis rights", f"user {user} may do what a {role} must")]


async def _lacking(client: Redis, user: str, account: RedisAccount, prefix: str) -> list[str]:
    """The commands of an account that Redis refuses the user, each once."""
    lacking = [
        command for command, call in calls_of(account, prefix) if not await _may(client, user, call)
    ]
    return list(dict.fromkeys(lacking))


async def _may(client: Redis, user: str, call: tuple[str, ...]) -> bool:
    answer: bytes = await _asked(client, "ACL", "DRYRUN", user, *call)
    return answer == b"OK"


async def _asked(client: Redis, *command: str) -> Any:
    """The answer of the server, or of one of a cluster's nodes, which all have the same users."""
    asking: Any = client  # which may be a cluster's (gateway.redis_access.connections)
    if not isinstance(asking, RedisCluster):
        return await asking.execute_command(*command)
    await asking.initialize()
    return await asking.execute_command(*command, target_nodes=asking.get_default_node())


async def _infos(client: Redis) -> dict[str, Mapping[str, Any]]:
    """What each server says: the one there is, or a cluster's primaries, by their addresses."""
    cluster: Any = client  # which may be a cluster's (gateway.redis_access.connections)
    if not isinstance(cluster, RedisCluster):
        return {"": await client.info()}
    await cluster.initialize()
    return {node.name: await cluster.info(target_nodes=node) for node in cluster.get_primaries()}


async def _cluster(client: Redis) -> list[Finding]:
    cluster: Any = client
    if not isinstance(cluster, RedisCluster):
        return []
    try:
        about = await cluster.cluster_info(target_nodes=cluster.get_default_node())
    except NoPermissionError:
        return []
    if about.get("cluster_state") != "ok":
        return [
            red(
                "redis cluster",
                f"its state is {about.get('cluster_state')}: some slots answer nothing",
                "see `CLUSTER NODES`, and start what is missing",
            )
        ]
    return []


async def _durability(
    client: Redis, ack: Ack, nodes: Mapping[str, Mapping[str, Any]]
) -> list[Finding]:
    """Whether the disk keeps what `[publish] ack` promises, where there is an append-only file."""
    if ack.fsynced:
        try:
            await waits_for_disk(client)
        except NotDurable as error:
            return [red("redis persistence", str(error), "see docs/reliability.md")]
        return []
    try:
        settings: Any = await client.config_get("appendfsync")
    except ResponseError:  # not permitted; hosted servers hide it
        return []
    if settings.get("appendfsync") == "no" and all(
        one.get("aof_enabled") for one in nodes.values()
    ):
        return [
            warning(
                "redis persistence",
                "appendfsync is no: a power failure loses what the system has not written yet",
                "set it to everysec, or to always (docs/reliability.md)",
            )
        ]
    return []
