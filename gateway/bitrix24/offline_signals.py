"""Notes portals that say that something waits in their queues of offline events.

    b24:offline-signals     zset: member ids, by when they were first signalled (Unix seconds)

A receiver puts them there when ONOFFLINEEVENT comes, and whoever drains the queues takes them. A
portal may signal once for many changes or many times for one, so it is there once at most. A signal
that is taken and not followed is not repeated; queues are looked at now and then in any case.
https://apidocs.bitrix24.com/api-reference/events/on-offline-event.html
"""

from time import time
from typing import Any, Final

from redis.asyncio import Redis

__all__ = ["signal", "take"]

_MAX_TAKEN: Final = 1000


async def signal(client: Redis, member_id: str, *, prefix: str) -> None:
    """Say that a portal's queue is to be drained. May be repeated.

    Raises one of connections.FAILURES when Redis does not take it.
    """
    await client.zadd(_key(prefix), {member_id: time()}, nx=True)


async def take(client: Redis, *, prefix: str) -> list[str]:
    """The portals that have signalled, longest ago first; they are told to one caller only.

    Raises one of connections.FAILURES when Redis does not answer; then they may be taken
    or not.
    """
    taken: Any = await client.zpopmin(_key(prefix), _MAX_TAKEN)
    return [member_id.decode() for member_id, _ in taken]


def _key(prefix: str) -> str:
    return f"{prefix}:offline-signals"
