"""Tells whether deliveries can be stored now: in Redis, or in the spool, whatever Redis says."""

import asyncio
from typing import Final

from redis.asyncio import Redis

from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.store import Spool
from gateway.redis_access.connections import FAILURES
from gateway.redis_access.redis_faults import RedisFault, fault_of, predicate

__all__ = ["Readiness"]

_ANSWER_S: Final = 1.0
# Less than whoever asks has patience.


class Readiness:
    """Asks Redis, and the spool if Redis does not do; writes nothing."""

    def __init__(self, control: Redis, publisher: Publisher, spool: Spool) -> None:
        self._control = control
        self._publisher = publisher
        self._spool = spool

    async def why_not_ready(self) -> str | None:
        """None if an event can be stored, else why neither takes any."""
        trouble = await self._trouble_with_redis()
        if trouble is None:
            return None
        no_room = await self._spool.why_no_room()
        return no_room and f"redis {trouble}, the spool is {no_room}"

    async def _trouble_with_redis(self) -> str | None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                await self._control.ping()
        except FAILURES as error:
            if fault_of(error) is RedisFault.AWAY:
                return f"is away ({type(error).__name__})"
            return predicate(error)
        # A server that is out of memory, or lets nobody write, answers a PING.
        return "takes no events" if self._publisher.is_refused else None
