"""Loads the scripts of `lua/`: what Redis must decide, because several processes ask.

Each touches the keys of one portal only, which share a slot of a cluster, and may be carried out
twice: the client repeats a command whose reply it lost.
"""

from contextlib import AbstractContextManager
from typing import Any

from redis.asyncio import Redis

from gateway.bitrix24.errors import StoreUnavailable
from gateway.redis_access import lua
from gateway.redis_access.redis_faults import failures_as

__all__ = ["script", "store_failures"]


def script(client: Redis, name: str) -> Any:
    """The script `lua/<name>.lua` as a function of `keys` and `args`."""
    return lua.script(client, "gateway.bitrix24", f"lua/{name}.lua")


def store_failures() -> AbstractContextManager[None]:
    """Raise StoreUnavailable where Redis does not do as it is told: nothing goes to the portal."""
    return failures_as(lambda error: StoreUnavailable(f"Redis: {type(error).__name__}"))
