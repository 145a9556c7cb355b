"""Looks, before a drill begins, whether it can: rights and memory in Redis, room on the disk."""

import os
import shutil
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from gateway.doctor.redis_look import look_at_rights
from gateway.drill.drill_keys import lease_key
from gateway.drill.rig import CannotDrill
from gateway.redis_access.server_memory import memory_by_server
from gateway.settings import Settings

__all__ = ["assure_rights", "assure_room_in_redis", "assure_room_on_disk"]

_ROOM_BYTES: Final = 128 << 20
"""More than a drill ever has in its spool and its sink: below it, it might be what fills a disk."""


async def assure_rights(redis: Redis, settings: Settings) -> None:
    """Raises CannotDrill if the account may not do what a drill does, by `ACL DRYRUN`.

    Where that may not be asked, the processes find out.
    """
    for finding in await look_at_rights(redis, "drill", settings.redis.prefix):
        if finding.severity == "red":
            raise CannotDrill(f"{finding.what}; {finding.remedy}")


async def assure_room_in_redis(redis: Redis, settings: Settings) -> None:
    """Raises CannotDrill if so much memory is used that events would go to the spool."""
    most = settings.retention.max_memory_share
    for server in await memory_by_server(redis, [lease_key(settings.redis.prefix)]):
        if server.share >= most:
            raise CannotDrill(
                f"Redis has used {server.share:.0%} of its memory, and events go to the spools "
                f"from {most:.0%} on: see `gateway groups`"
            )


def assure_room_on_disk(spool: Path) -> None:
    """Raises CannotDrill if the disk of the spool has too little room, or cannot be written."""
    there = next(one for one in (spool, *spool.absolute().parents) if one.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise CannotDrill(f"[spool] dir {spool} cannot be written by this user")
    free = shutil.disk_usage(there).free
    if free < _ROOM_BYTES:
        raise CannotDrill(
            f"{free >> 20} MiB are free on the disk of [spool] dir {spool}, and a drill wants "
            f"{_ROOM_BYTES >> 20}: make room"
        )
