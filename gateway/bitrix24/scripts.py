"""The scripts of `lua/`: what Redis must decide, because several processes ask.

Each touches the keys of one portal only, which share a slot of a cluster, and may be carried out
twice: the client repeats a command whose reply it lost.
"""

from typing import Any

from redis.asyncio import Redis

from gateway.bitrix24.errors import StoreUnavailable
from gateway.redis_access import lua
from gateway.redis_access.connections import FAILURES

__all__ = ["REDIS_FAILURES", "script", "store_unavailable"]

REDIS_FAILURES: tuple[type[Exception], ...] = FAILURES
"""What a command may raise."""


def script(client: Redis, name: str) -> Any:
    """The script `lua/<name>.lua` as a function of `keys` and `args`."""
    return lua.script(client, "gateway.bitrix24", f"lua/{name}.lua")


def store_unavailable(error: Exception) -> StoreUnavailable:
    """What to raise when Redis did not do as it was told: nothing was sent to the portal."""
    return StoreUnavailable(f"Redis: {type(error).__name__}")
