"""What `publish.ack` promises, and whether a server is set up to keep it."""

import re
from typing import Any

import structlog
from msgspec import Struct
from redis.exceptions import NoPermissionError, RedisError, ResponseError

from gateway.connections import AWAY
from gateway.errors import OperatorError

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
    """How a server writes to its disk; `appendfsync` is None where it may not be asked."""

    has_append_only_file: bool
    appendfsync: str | None
    has_waitaof: bool

    def waits_for_disk(self) -> bool:
        """Whether a batch has to wait for its fsync: not if the server answers only after it.

        Raises NotDurable if nothing tells when a batch is on the disk.
        """
        if not self.has_append_only_file:
            raise NotDurable(
                'publish.ack = "fsynced" needs an append-only file: set `appendonly yes` on Redis'
            )
        if self.appendfsync == "always":
            return False
        if self.has_waitaof and self.appendfsync != "no":
            return True
        found = (
            "it cannot be seen: allow CONFIG GET"
            if self.appendfsync is None
            else f"it is `{self.appendfsync}`"
        )
        raise NotDurable(
            f'publish.ack = "fsynced" needs `appendfsync always` on this Redis; {found}'
        )


async def waits_for_disk(client: Any) -> bool:
    """Ask a server; raises NotDurable, or what the client raises when the server is away."""
    return (await _persistence_of(client)).waits_for_disk()


async def check_at_start(client: Any, ack: Ack) -> None:
    """Raise NotDurable if the server can never keep the promise; warn if it cannot now.

    A server that is away is no reason not to start: the spool takes events, and whoever publishes
    them checks again.
    """
    try:
        if ack.fsynced:
            await waits_for_disk(client)
        if ack.replicas:
            replication = await client.info("replication")
            connected = replication["connected_slaves"]
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


async def _persistence_of(client: Any) -> Persistence:
    persistence = await client.info("persistence")
    return Persistence(
        has_append_only_file=bool(persistence["aof_enabled"]),
        appendfsync=await _appendfsync_of(client),
        has_waitaof=await _has_waitaof(client),
    )


async def _appendfsync_of(client: Any) -> str | None:
    try:
        return str((await client.config_get("appendfsync"))["appendfsync"])
    except (ResponseError, KeyError):  # not permitted, or hidden as hosted servers do
        return None


async def _has_waitaof(client: Any) -> bool:
    """Redis 7.2 has it, and every Valkey; asked for nothing, it answers at once."""
    try:
        await client.execute_command("WAITAOF", 0, 0, 1)
    except NoPermissionError:
        raise
    except ResponseError:  # unknown command
        return False
    return True
