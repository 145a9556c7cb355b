"""Bounds how long a question to Redis may take: operators ask when something is wrong with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.redis_access import connections

__all__ = ["ANSWER_S", "REACHED_S", "answered", "answering", "reach", "reached"]

T = TypeVar("T")

ANSWER_S: Final = 1.5
"""With the start of a process, an answer within two seconds."""
REACHED_S: Final = 1.0
"""Within this time Redis answers, or is away: with the start of a process, on a busy machine too,
whoever asks knows that within two seconds."""
_TRIES: Final = 3
# Of a control client, each command: so that the last one ends when the time does.


async def reached(client: Redis, *, within_s: float = REACHED_S) -> None:
    """Return as soon as Redis answers; raises one of connections.FAILURES if it does not in time.

    A user without the right to ask has been answered, too.
    """
    try:
        async with asyncio.timeout(within_s):
            await client.ping()
    except NoPermissionError:
        return
    except TimeoutError as error:
        raise _late(within_s) from error


@asynccontextmanager
async def answering(url: str) -> AsyncIterator[Redis]:
    """A control client of a Redis that answers, for a command that takes as long as it takes.

    Raises one of connections.FAILURES within REACHED_S if it does not answer.
    """
    async with connections.control(url) as client:
        await reached(client)
        yield client


async def reach(url: str) -> None:
    """Return if Redis answers, for a command whose own client waits longer; raises as `reached`."""
    async with answering(url):
        return


async def answered(url: str, ask: Callable[[Redis], Awaitable[T]], *, within_s: float) -> T:
    """What `ask` finds out; raises one of connections.FAILURES, a time-out after `within_s`.

    Whether Redis answers at all is known earlier.
    """
    try:
        async with (
            asyncio.timeout(within_s),
            connections.control(url, timeout_s=within_s / _TRIES) as client,
        ):
            await reached(client, within_s=within_s * REACHED_S / ANSWER_S)
            return await ask(client)
    except TimeoutError as error:
        raise _late(within_s) from error


def _late(within_s: float) -> RedisTimeoutError:
    return RedisTimeoutError(f"no answer within {within_s:.2g} s")
