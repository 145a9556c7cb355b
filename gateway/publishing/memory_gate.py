"""Lets new events wait in the spool near the limit of Redis' memory.

What is left of the memory then belongs to the consumers, who need some to work off what is there;
and nothing unread has to be deleted to make room.
"""

import asyncio
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway import metrics
from gateway.background import Background
from gateway.contract import Streams
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.server_memory import memory_by_server

__all__ = ["MemoryGate", "shall_close"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 1.0
_REOPEN_AT: Final = 0.95
# Of the share at which it closes: so the gate does not flap while the spool is drained.


def shall_close(share: float, max_share: float, *, is_closed: bool) -> bool:
    """Whether the gate is to be closed: from `max_share` on, until it is clearly below."""
    return share >= (max_share * _REOPEN_AT if is_closed else max_share)


class MemoryGate:
    """Tells whether new events have to wait. It looks once a second; while Redis is away, the gate
    stays as it is.

    Each partition has a gate of its own, since in a cluster it may have a server of its own.
    """

    def __init__(self, client: Redis, streams: Streams, *, max_share: float) -> None:
        self._client = client
        self._streams = streams
        self._max_share = max_share
        self._closed: frozenset[int] = frozenset()
        # The gate stays as it is meanwhile, which loses nothing.
        self._looking = Background(self._run, name="memory gate", begins_anew=True)

    def is_closed(self, partition: int) -> bool:
        """True if new events of the partition are to wait in the spool."""
        return partition in self._closed

    def is_any_closed(self) -> bool:
        """True if new events of some partition are to wait."""
        return bool(self._closed)

    def start(self) -> None:
        """Start looking."""
        self._looking.start()

    async def close(self) -> None:
        """Stop looking."""
        await self._looking.close()

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
            except FAILURES as error:
                log.debug("redis does not tell its memory", error=str(error))
            await asyncio.sleep(_LOOK_S)

    async def _look(self) -> None:
        servers = await memory_by_server(self._client, self._streams.keys("events"))
        share = max(server.share for server in servers)
        metrics.MEMORY_SHARE.set(share)
        was_closed, self._closed = (
            self._closed,
            frozenset(
                partition
                for server in servers
                for partition in server.places
                if shall_close(server.share, self._max_share, is_closed=partition in self._closed)
            ),
        )
        metrics.MEMORY_GATE_CLOSED.set(len(self._closed))
        if self._closed and not was_closed:
            log.error(
                "redis is nearly out of memory: new events wait in the spool",
                memory_share=round(share, 3),
                what_to_do="see which group holds the streams: gateway groups; docs/retention.md",
            )
        elif was_closed and not self._closed:
            log.info(
                "redis has memory again: events go to their stream", memory_share=round(share, 3)
            )
