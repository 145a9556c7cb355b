"""Finds settings of a Redis server under which it can lose what it was given. Pure."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

__all__ = ["Danger", "DangerKind", "dangers"]

DangerKind: TypeAlias = Literal["eviction", "memory", "persistence"]


class Danger(Struct, frozen=True):
    """What can be lost, in a sentence without what to do about it, and that."""

    kind: DangerKind
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}; {self.remedy}"


def dangers(memory: Mapping[str, Any], persistence: Mapping[str, Any]) -> list[Danger]:
    """What is dangerous, from `INFO memory` and `INFO persistence`.

    An evicted stream is gone with its groups:
    https://redis.io/docs/latest/develop/reference/eviction/
    """
    found = []
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        found.append(
            Danger(
                "eviction",
                f"maxmemory-policy is {policy}: short of memory, Redis deletes whole streams, "
                "or the memory of what was published",
                "set it to noeviction",
            )
        )
    if memory.get("maxmemory") == 0:  # missing where a hosted server does not tell
        found.append(
            Danger(
                "memory",
                "maxmemory is not set: a group that stops fills the machine's memory until the "
                "kernel kills Redis, and new events never go to the spool instead",
                "set it to at most 80 % of the memory",
            )
        )
    if not persistence.get("aof_enabled"):
        found.append(
            Danger(
                "persistence",
                "appendonly is no: a restart of Redis loses what came after its last snapshot",
                "set it to yes",
            )
        )
    return found
