"""Primaries of a cluster, each with its replica, and when one of them may be killed.

A primary whose replica lacks something takes that with it, and where both are away, so is their
data: neither is a fault that replication is there for. So a cluster has to be whole first.
"""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct
from redis.exceptions import RedisError

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.support.eventually import eventually

__all__ = ["NotWhole", "Pair", "is_primary", "until_taken_over", "until_whole"]

_WHOLE_S: Final = 60.0
_IN_STEP_S: Final = 10.0
_TAKEN_OVER_S: Final = 40.0


class NotWhole(Exception):
    """A node is away, or behind; the text says which."""


class Pair(Struct, frozen=True):
    """A primary, and the one node that replicates it."""

    primary: RedisServer
    replica: RedisServer


async def until_whole(
    nodes: Sequence[RedisServer], *, timeout_s: float = _WHOLE_S
) -> tuple[Pair, ...]:
    """Wait until half of the nodes are primaries, and each of these has a replica in step.

    That is: every node says `cluster_state:ok` and finds no other one failing, every replica says
    `master_link_status:up`, and then gets as far as its primary was when this was asked. Raises
    NotWhole with what is not so after `timeout_s`.
    """
    said = ""

    async def pairs() -> tuple[Pair, ...]:
        nonlocal said
        found, said = await _look(nodes)
        for pair in found:
            if not await _catches_up(pair):
                said = f"{pair.replica.port} does not catch up with its primary"
                return ()
        return found

    try:
        return await eventually(pairs, timeout_s=timeout_s)
    except (AssertionError, TimeoutError) as error:
        raise NotWhole(f"after {timeout_s} s {said}") from error


async def until_taken_over(replica: RedisServer, *, timeout_s: float = _TAKEN_OVER_S) -> None:
    """Wait until a replica is a primary."""

    async def has_taken_over() -> bool:
        try:
            return await is_primary(replica)
        except (RedisError, OSError):  # busy with it
            return False

    await eventually(has_taken_over, timeout_s=timeout_s)


async def is_primary(node: RedisServer) -> bool:
    """Whether a node says of itself that it is a primary."""
    async with connections.control(node.url) as client:
        told: Any = await client.info("replication")
    return bool(told["role"] == "master")


class _Standing(Struct, frozen=True):
    """What one node says of itself and of the others."""

    node: RedisServer
    replication: dict[str, Any]
    is_ok: bool
    finds_failing: bool

    @property
    def is_primary(self) -> bool:
        return bool(self.replication["role"] == "master")


async def _look(nodes: Sequence[RedisServer]) -> tuple[tuple[Pair, ...], str]:
    """The pairs; or none, and why."""
    try:
        standings = [await _standing(node) for node in nodes]
    except (RedisError, OSError) as error:
        return (), f"{type(error).__name__}: {error}"
    for one in standings:
        if not one.is_ok or one.finds_failing:
            return (), f"{one.node.port} finds the cluster {'failing' if one.is_ok else 'down'}"
    primaries = {one.node.port: one for one in standings if one.is_primary}
    pairs = []
    for one in standings:
        if not one.is_primary:
            told = one.replication
            primary = primaries.pop(int(told["master_port"]), None)
            if primary is None:
                return (), f"{one.node.port} replicates no primary of its own"
            if told["master_link_status"] != "up":
                return (), f"the link of {one.node.port} is {told['master_link_status']}"
            pairs.append(Pair(primary.node, one.node))
    if primaries:
        return (), f"without a replica: {sorted(primaries)}"
    return tuple(pairs), ""


async def _catches_up(pair: Pair) -> bool:
    try:
        async with (
            connections.control(pair.primary.url) as primary,
            connections.control(pair.replica.url) as replica,
        ):
            goal = (await primary.info("replication"))["master_repl_offset"]

            async def is_there() -> bool:
                told: Any = await replica.info("replication")
                return bool(told.get("slave_repl_offset", -1) >= goal)

            await eventually(is_there, timeout_s=_IN_STEP_S)
    except (AssertionError, TimeoutError, RedisError, OSError):
        return False
    return True


async def _standing(node: RedisServer) -> _Standing:
    async with connections.control(node.url) as connected:
        client: Any = connected
        told: Any = await client.info("replication")
        state: Any = await client.execute_command("CLUSTER", "INFO")
        lines: Any = await client.execute_command("CLUSTER", "NODES")
    flags = [line.split()[2] for line in _text(lines).splitlines()]
    failing = any("fail" in flag or "handshake" in flag for flag in flags)
    return _Standing(node, told, "cluster_state:ok" in _text(state), failing)


def _text(reply: Any) -> str:
    return reply.decode() if isinstance(reply, bytes) else str(reply)
