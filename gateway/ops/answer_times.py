"""Bounds how long a question to Redis may take: operators ask when something is wrong with it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.redis_access import connections

__all__ = ["ANSWER_S", "answered"]

T = TypeVar("T")

ANSWER_S: Final = 1.5
"""With the start of a process, an answer or "Redis is away" within two seconds."""
_TRIES: Final = 3
# Of a control client, each command: so that the last one ends when the time does.


async def answered(url: str, ask: Callable[[Redis], Awaitable[T]], *, within_s: float) -> T:
    """What `ask` finds out; raises one of connections.FAILURES, a time-out after `within_s`."""
    try:
        async with (
            asyncio.timeout(within_s),
            connections.control(url, timeout_s=within_s / _TRIES) as client,
        ):
            return await ask(client)
    except TimeoutError as error:
        raise RedisTimeoutError(f"no answer within {within_s:g} s") from error
