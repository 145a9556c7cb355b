"""Lets one drill of an installation run at a time, and leaves nothing of it behind."""

import asyncio
import os
import shutil
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from gateway.background import Background
from gateway.contract import timestamps
from gateway.drill.drill_keys import expire_keys, lease_key, remove_keys
from gateway.drill.rig import CannotDrill
from gateway.durable_directory import make_directory
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.leases import Leases

__all__ = ["clean", "drill_directory", "held", "kept_clean"]

_LEASE_MS: Final = 30_000
"""Longer than the processes of a drill take to end that was killed: whoever cleans up after it must
not be followed by them."""
_KEEP_S: Final = 5.0
_EXPIRE_S: Final = 10.0
# It goes through the names of all keys in Redis.
_FOLDER: Final = "drill"


@asynccontextmanager
async def held(redis: Redis, prefix: str) -> AsyncIterator[None]:
    """Be the one drill of this installation; raises CannotDrill if another one runs, or begins."""
    key = lease_key(prefix)
    owner = (
        f"process {os.getpid()} on {socket.gethostname()} since {timestamps.seconds(time.time())}"
    )
    leases = Leases(redis, owner=owner, life_ms=_LEASE_MS)
    if not await leases.hold(key):
        other: Any = await redis.get(key)
        raise CannotDrill(
            f"another drill runs: {(other or b'?').decode(errors='replace')}; one that was killed "
            f"is forgotten within {_LEASE_MS // 1000} s"
        )
    is_ours = True

    async def keep() -> None:
        nonlocal is_ours
        while True:
            await asyncio.sleep(_KEEP_S)
            with suppress(*FAILURES):  # it may be back in time
                is_ours = is_ours and await leases.hold(key)

    keeping = Background(keep, name="drill lease", begins_anew=True)
    keeping.start()
    try:
        yield
        if not is_ours:
            raise CannotDrill("another drill has begun meanwhile: what this one saw counts nothing")
    finally:
        await keeping.close()
        with suppress(*FAILURES):
            await leases.release(key)


def drill_directory(spool: Path, drill_id: str) -> Path:
    """Where a drill keeps its files: on the disk of the spool, which is what it tries."""
    return spool / _FOLDER / drill_id


@asynccontextmanager
async def kept_clean(
    redis: Redis, prefix: str, spool: Path, drill_id: str, *, say: Callable[[str], None]
) -> AsyncIterator[Path]:
    """The directory of a drill. What it and former ones have left is removed before and after.

    For who holds the lease. If Redis is away at the end, keys end by themselves.
    """
    await clean(redis, prefix, spool)
    directory = drill_directory(spool, drill_id)
    try:
        make_directory(directory)
    except OSError as error:
        raise CannotDrill(f"[spool] dir {spool}: {error}") from error

    async def expire() -> None:
        await asyncio.sleep(_KEEP_S)
        while True:
            with suppress(*FAILURES):
                await expire_keys(redis, prefix, drill_id)
            await asyncio.sleep(_EXPIRE_S)

    expiring = Background(expire, name="drill keys", begins_anew=True)
    expiring.start()
    try:
        yield directory
    finally:
        await expiring.close()
        try:
            await clean(redis, prefix, spool)
        except FAILURES:
            say("keys of the drill are left in Redis: they end within an hour")


async def clean(redis: Redis, prefix: str, spool: Path) -> int:
    """Remove what drills have left, keys and files; how many keys. For who holds the lease."""
    await asyncio.to_thread(shutil.rmtree, spool / _FOLDER, ignore_errors=True)
    return await remove_keys(redis, prefix)
