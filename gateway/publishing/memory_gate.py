"""The memory gate: near the limit of Redis' memory, new events wait in the spool.

What is left of the memory then belongs to the consumers, who need some to work off what is there;
and nothing unread has to be deleted to make room.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import metrics
from gateway.ending import end

__all__ = ["MemoryGate", "memory_share", "shall_close"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 1.0
_REOPEN_AT: Final = 0.95
# Of the share at which it closes: so the gate does not flap while the spool is drained.


def memory_share(memory: Mapping[str, Any]) -> float:
    """The used share of `maxmemory`, from `INFO memory`; 0 if there is no limit.

    Buffers of replicas and of the append-only file do not count, as they do not for Redis itself.
    """
    limit = memory.get("maxmemory") or 0
    used = memory["used_memory"] - memory.get("mem_not_counted_for_evict", 0)
    return float(used / limit) if limit else 0.0


def shall_close(share: float, max_share: float, *, is_closed: bool) -> bool:
    """Whether the gate is to be closed: from `max_share` on, until it is clearly below."""
    return share >= (max_share * _REOPEN_AT if is_closed else max_share)


class MemoryGate:
    """Looks once a second; while Redis is away, the gate stays as it is."""

    def __init__(self, client: Redis, *, max_share: float) -> None:
        self._client = client
        self._max_share = max_share
        self._is_closed = False
        self._task: asyncio.Task[None] | None = None

    def is_closed(self) -> bool:
        """True if new events are to wait in the spool."""
        return self._is_closed

    def start(self) -> None:
        """Start looking."""
        self._task = asyncio.create_task(self._run(), name="memory gate")

    async def close(self) -> None:
        """Stop looking."""
        if self._task is not None:
            await end(self._task)

    async def _run(self) -> None:
        while True:
            try:
                self._set(memory_share(await self._client.info("memory")))
            except (RedisError, OSError) as error:
                log.debug("redis does not tell its memory", error=str(error))
            except Exception:
                log.exception("the memory gate failed")
            await asyncio.sleep(_LOOK_S)

    def _set(self, share: float) -> None:
        metrics.MEMORY_SHARE.set(share)
        was_closed = self._is_closed
        self._is_closed = shall_close(share, self._max_share, is_closed=was_closed)
        if self._is_closed and not was_closed:
            log.error(
                "redis is nearly out of memory: new events wait in the spool",
                memory_share=round(share, 3),
                what_to_do="see which group holds the streams: gateway groups; docs/retention.md",
            )
        elif was_closed and not self._is_closed:
            log.info(
                "redis has memory again: events go to their stream", memory_share=round(share, 3)
            )
