"""Names the keys of drills, lets them end by themselves, and removes those that are left.

All of them begin with `<prefix>:drill:`. What a drill's processes write is under a prefix of its
own, `<prefix>:drill:<id>`, which they are given as `[redis] prefix`.
"""

import re
import secrets
from collections.abc import AsyncIterator
from typing import Any, Final

from redis.asyncio import Redis

__all__ = ["KEYS_LAST_S", "drill_prefix", "expire_keys", "lease_key", "new_drill_id", "remove_keys"]

KEYS_LAST_S: Final = 3600
"""How long what a killed drill has left is kept, unless the next one removes it earlier."""

_ID: Final = re.compile(rb"[0-9a-f]{8}")
_SCAN: Final = 1000


def new_drill_id() -> str:
    """Eight hexadecimal digits, by which keys and files are known to be a drill's."""
    return secrets.token_hex(4)


def drill_prefix(prefix: str, drill_id: str) -> str:
    """What the names begin with of all that the processes of one drill write."""
    return f"{prefix}:drill:{drill_id}"


def lease_key(prefix: str) -> str:
    """The key that one drill of an installation holds at a time; its value says which."""
    return f"{prefix}:drill:lease"


async def expire_keys(redis: Redis, prefix: str, drill_id: str) -> None:
    """Let all keys of a drill end by themselves, KEYS_LAST_S from now. Raises FAILURES."""
    async for key in _keys(redis, prefix):
        if _drill_of(key, prefix) == drill_id.encode():
            await redis.expire(key, KEYS_LAST_S)


async def remove_keys(redis: Redis, prefix: str) -> int:
    """Remove what drills have written, and say how many keys that were. Raises FAILURES.

    For who holds the lease, so that none runs.
    """
    count = 0
    async for key in _keys(redis, prefix):
        if _ID.fullmatch(_drill_of(key, prefix)):
            count += await redis.unlink(key)
    return count


async def _keys(redis: Redis, prefix: str) -> AsyncIterator[Any]:
    async for key in redis.scan_iter(match=f"{prefix}:drill:*", count=_SCAN):
        yield key


def _drill_of(key: bytes, prefix: str) -> bytes:
    return key.removeprefix(f"{prefix}:drill:".encode()).partition(b":")[0]
