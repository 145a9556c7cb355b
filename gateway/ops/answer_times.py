"""Bounds how long a question to Redis may take: operators ask when something is wrong with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.partitioning.partition_record import adopt_record
from gateway.redis_access import connections
from gateway.settings import RedisSettings

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
async def answering(redis: RedisSettings) -> AsyncIterator[Redis]:
    """A control client of a Redis that answers, for a command that takes as long as it takes.

    The streams of `redis` are those of the installation then. Raises one of connections.FAILURES
    within REACHED_S if it does not answer.
    """
    async with connections.control(redis.url) as client:
        await reached(client)
        await adopt_record(client, redis.streams)
        yield client


async def reach(redis: RedisSettings) -> None:
    """Return if Redis answers, for a command whose own client waits longer; else as `answering`."""
    async with answering(redis):
        return


async def answered(
    redis: RedisSettings, ask: Callable[[Redis], Awaitable[T]], *, within_s: float
) -> T:
    """What `ask` finds out; raises one of connections.FAILURES, a time-out after `within_s`.

    Whether Redis answers at all is known earlier. The streams of `redis` are those of the
    installation when `ask` is called.
    """
    try:
        async with (
            asyncio.timeout(within_s),
            connections.control(redis.url, timeout_s=within_s / _TRIES) as client,
        ):
            await reached(client, within_s=within_s * REACHED_S / ANSWER_S)
            await adopt_record(client, redis.streams)
            return await ask(client)
    except TimeoutError as error:
        raise _late(within_s) from error


def _late(within_s: float) -> RedisTimeoutError:
    return RedisTimeoutError(f"no answer within {within_s:.2g} s")
