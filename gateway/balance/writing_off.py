"""Takes for lost what is missing, so that the balance closes again, and the next loss shows."""

from typing import Any

from redis.asyncio import Redis

from gateway.balance.keys import written_off_key
from gateway.balance.sheet import Balance

__all__ = ["what_is_open", "write_off"]


def what_is_open(balance: Balance) -> str:
    """How many are missing where that nobody has written off, in words."""
    return "; ".join(f"{one.open} of {one.where}" for one in balance.missing if one.open)


async def write_off(client: Redis, prefix: str, balance: Balance) -> None:
    """Write off all that is missing by this balance. Idempotent; raises what a client raises."""
    redis: Any = client
    for one in balance.missing:
        await redis.hset(written_off_key(prefix), one.where, str(one.count))
