"""Tells up to when the streams have all that was accepted, as receivers say of their spools.

    b24:spools   hash: a spool's id -> "<when it was told> <spooled at, oldest event>", in ms

The first is by the clock of Redis, the second by the receiver's, 0 for an empty spool. Told once a
second while events wait, else every two seconds. A receiver that stops with an empty spool takes
its report back; one that is silent was killed, or does not reach Redis, and may have spooled events
since its last report.
"""

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog
from msgspec import Struct
from redis.asyncio import Redis
from uuid_utils import uuid7

from gateway.redis_access import connections, lua

__all__ = ["SpoolReport", "SpoolReporter", "complete_until_ms", "known_spool_id", "read_reports"]

log: Any = structlog.get_logger(__name__)

_WAITING_EVERY_S: Final = 1.0
_EMPTY_EVERY_S: Final = 2.0
_FORGET_S: Final = 35 * 24 * 3600


class SpoolReport(Struct, frozen=True, kw_only=True):
    """When a spool was last told of, and when its oldest event was put there (0: it is empty)."""

    told_ms: int
    oldest_ms: int


def complete_until_ms(reports: Iterable[SpoolReport], *, now_ms: int, patience_s: float) -> int:
    """Up to when the streams have every event that receivers had accepted by then.

    A spool that was silent for `patience_s` is taken for lost, with what is in it.
    """
    silent_since = now_ms - patience_s * 1000
    return min(
        (
            min(report.oldest_ms or report.told_ms, report.told_ms)
            for report in reports
            if report.told_ms > silent_since
        ),
        default=now_ms,
    )


async def read_reports(client: Redis, *, prefix: str) -> tuple[list[SpoolReport], int]:
    """All reports, and the time by the clock of Redis (ms); raises one of connections.FAILURES."""
    script = lua.script(client, "gateway.publishing.spool", "read_spools.lua")
    now_ms, values = await script(keys=[_key(prefix)])
    reports = []
    for value in values:
        told_ms, oldest_ms = value.split()
        reports.append(SpoolReport(told_ms=int(told_ms), oldest_ms=int(oldest_ms)))
    return reports, int(now_ms)


class SpoolReporter:
    """Tells of the spool in `directory`, of which one process at a time is the drainer.

    `client` is a control client (gateway.redis_access.connections.control). Nothing here raises,
    and nothing is told while Redis is away: silence says enough.
    """

    def __init__(self, client: Redis, directory: Path, *, prefix: str) -> None:
        self._client = client
        self._tell_script = lua.script(client, "gateway.publishing.spool", "tell_spool.lua")
        self._key = _key(prefix)
        self.spool_id = _spool_id(directory)
        self._tried_at = float("-inf")
        self._was_empty = True

    async def tell(self, oldest_ms: int) -> None:
        """Say since when events wait (Unix ms), or 0: none do. To be called as often as may be."""
        is_empty = oldest_ms == 0
        every_s = _EMPTY_EVERY_S if is_empty else _WAITING_EVERY_S
        if is_empty == self._was_empty and time.monotonic() < self._tried_at + every_s:
            return
        self._tried_at = time.monotonic()
        try:
            await self._tell_script(keys=[self._key], args=[self.spool_id, oldest_ms, _FORGET_S])
        except connections.FAILURES as error:
            log.debug("the spool is not told of", error=str(error))
            return
        self._was_empty = is_empty

    async def leave(self, oldest_ms: int) -> None:
        """Say a last time since when events wait, or take the report back if none do.

        Another process that uses the spool goes on telling.
        """
        self._tried_at = float("-inf")
        if oldest_ms:
            await self.tell(oldest_ms)
            return
        try:
            await self._client.hdel(self._key, self.spool_id)
        except connections.FAILURES as error:
            log.debug("the spool is not told of", error=str(error))


def known_spool_id(directory: Path) -> str | None:
    """What the spool in a directory is called; None if there is none yet, or it cannot be read."""
    try:
        return (directory / "spool.id").read_text(encoding="ascii")
    except OSError:
        return None


def _key(prefix: str) -> str:
    return f"{prefix}:spools"


def _spool_id(directory: Path) -> str:
    """What the spool is called, wherever its directory is moved to; made by the first receiver.

    Where it cannot be written down, each process has another name for it, and what the last one
    said is waited for in vain.
    """
    path, fresh = directory / "spool.id", directory / f"spool.id.{os.getpid()}"
    try:
        if not path.exists():
            fresh.write_text(str(uuid7()), encoding="ascii")
            with suppress(FileExistsError):
                path.hardlink_to(fresh)
            fresh.unlink()
        return path.read_text(encoding="ascii")
    except OSError as error:
        log.warning("the spool has no name", file=str(path), error=str(error))
        return str(uuid7())
