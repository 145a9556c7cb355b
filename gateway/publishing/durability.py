"""Says what `publish.ack` promises, and checks whether a server is set up to keep it."""

import re
from collections.abc import Mapping
from typing import Any

import structlog
from msgspec import Struct
from redis.asyncio import RedisCluster
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from gateway.errors import OperatorError
from gateway.redis_access.connections import AWAY

__all__ = ["Ack", "NotDurable", "Persistence", "check_at_start", "waits_for_disk"]

log: Any = structlog.get_logger(__name__)


class NotDurable(OperatorError):
    """The server cannot keep what `publish.ack` promises; the text says what to change."""


class Ack(Struct, frozen=True):
    """What Redis must have done with a batch before its requests are answered 200.

    `fsynced` means on the disk of the primary; `replicas` in the memory of so many others.
    """

    fsynced: bool = False
    replicas: int = 0

    @classmethod
    def parse(cls, text: str) -> "Ack":
        """From the setting `publish.ack`: `written`, `fsynced` or `replicated:<n>`."""
        replicas = re.fullmatch(r"replicated:(\d+)", text)
        return cls(fsynced=text == "fsynced", replicas=int(replicas[1]) if replicas else 0)


class Persistence(Struct, frozen=True, kw_only=True):
    """How a server writes to its disk; `appendfsync` is None where it may not be asked.

    A server that `rests_during_rewrites` has `no-appendfsync-on-rewrite yes`, which holds for
    `appendfsync always`, too.
    """

    has_append_only_file: bool
    appendfsync: str | None
    has_waitaof: bool
    rests_during_rewrites: bool = False

    def waits_for_disk(self) -> bool:
        """Whether a batch has to wait for its fsync: not if the server answers only after it.

        Raises NotDurable if nothing tells when a batch is on the disk.
        """
        if not self.has_append_only_file:
            raise NotDurable(
                'publish.ack = "fsynced" needs an append-only file: set `appendonly yes` on Redis'
            )
        if self.appendfsync == "always" and not self.rests_during_rewrites:
            return False
        if self.has_waitaof and self.appendfsync != "no":
            return True
        found = (
            "they cannot be seen: allow CONFIG GET"
            if self.appendfsync is None
            else f"they are `{self.appendfsync}` and `{self._rests}`"
        )
        raise NotDurable(
            'publish.ack = "fsynced" needs `appendfsync always` and `no-appendfsync-on-rewrite no` '
            f"on this Redis; {found}"
        )

    @property
    def _rests(self) -> str:
        return "yes" if self.rests_during_rewrites else "no"


async def waits_for_disk(client: Any, key: str | None = None) -> bool:
    """Ask a server, of a cluster the node that holds `key`, or without one every primary.

    Raises NotDurable, or what the client raises when the server is away.
    """
    waits = []
    for place in await _places_of(client, key):
        waits.append((await _persistence_of(client, place)).waits_for_disk())  # noqa: PERF401
    return any(waits)


async def check_at_start(client: Any, ack: Ack) -> None:
    """Raise NotDurable if the server can never keep the promise; warn if it cannot now.

    A server that is away is no reason not to start: the spool takes events, and whoever publishes
    them checks again.
    """
    try:
        if ack.fsynced:
            await waits_for_disk(client)
        if ack.replicas:
            told = [await client.info("replication", **place) for place in await _places_of(client)]
            connected = min(replication["connected_slaves"] for replication in told)
            if connected < ack.replicas:
                log.warning(
                    "fewer replicas are connected than publish.ack asks for; "
                    "events wait in the spool until there are enough",
                    connected=connected,
                    wanted=ack.replicas,
                )
    except AWAY as error:
        log.warning("redis is away; events wait in the spool", error=str(error))
    except RedisError as error:
        raise NotDurable(f"[redis] url: {error}") from error


async def _places_of(client: Any, key: str | None = None) -> list[dict[str, Any]]:
    """Where commands without a key are to go: nowhere in particular, or to nodes of a cluster."""
    if not isinstance(client, RedisCluster):
        return [{}]
    await client.initialize()
    nodes = client.get_primaries() if key is None else [client.get_node_from_key(key)]
    return [{"target_nodes": node} for node in nodes if node is not None]


async def _persistence_of(client: Any, place: Mapping[str, Any]) -> Persistence:
    persistence = await client.info("persistence", **place)
    settings = await _settings_of(client, place)
    return Persistence(
        has_append_only_file=bool(persistence["aof_enabled"]),
        appendfsync=settings.get("appendfsync"),
        has_waitaof=await _has_waitaof(client, place),
        rests_during_rewrites=settings.get("no-appendfsync-on-rewrite") == "yes",
    )


async def _settings_of(client: Any, place: Mapping[str, Any]) -> dict[str, str]:
    try:
        found: dict[str, str] = await client.config_get(
            "appendfsync", "no-appendfsync-on-rewrite", **place
        )
    except ResponseError:  # not permitted; hosted servers hide them instead
        return {}
    return found


async def _has_waitaof(client: Any, place: Mapping[str, Any]) -> bool:
    """Redis 7.2 has it, and every Valkey; asked for nothing, it answers at once."""
    try:
        await client.execute_command("WAITAOF", 0, 0, 1, **place)
    except NoPermissionError:
        raise
    except ResponseError:  # unknown command
        return False
    return True
