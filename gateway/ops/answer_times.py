"""Bounds how long a question to Redis may take: operators ask when something is wrong with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.redis_access import connections

__all__ = ["ANSWER_S", "answered", "asking"]

T = TypeVar("T")

ANSWER_S: Final = 1.8
"""With the start of a process, an answer or "Redis is away" within two seconds or so."""
_COMMAND_S: Final = 1.0


@asynccontextmanager
async def asking(url: str) -> AsyncIterator[Redis]:
    """A client for questions, whose commands do not wait longer than an answer may take."""
    async with connections.control(url, timeout_s=_COMMAND_S) as client:
        yield client


async def answered(
    url: str, ask: Callable[[Redis], Awaitable[T]], *, within_s: float = ANSWER_S
) -> T:
    """What `ask` finds out; raises one of connections.FAILURES, a time-out after `within_s`."""
    try:
        async with asyncio.timeout(within_s), asking(url) as client:
            return await ask(client)
    except TimeoutError as error:
        raise RedisTimeoutError(f"no answer within {within_s:g} s") from error
