"""Remembers which portals have no queue of offline events for us; they are asked again after a day.

b24:no-queue:{<member id>}   why; expires
"""

from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway.portals.facts import PortalFacts

__all__ = ["PortalsWithoutQueue"]

log: Any = structlog.get_logger(__name__)

_ASK_AGAIN_S: Final = 24 * 3600


class PortalsWithoutQueue:
    """Keeps what portals said when they were asked for their queue, or to fill it.

    Every method raises one of connections.FAILURES, and may be repeated.
    """

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._facts = PortalFacts(client, prefix=prefix)
        self._prefix = prefix

    async def is_refused(self, member_id: str) -> bool:
        """Whether a portal's queue is of no use: it may not be read, or nothing is put there."""
        if await self._client.exists(self._key(member_id)):
            return True
        return (await self._facts.of(member_id)).queue in ("not_in_plan", "failed")

    async def note(self, member_id: str, why: str) -> None:
        """Do not ask again today."""
        await self._client.set(self._key(member_id), why, ex=_ASK_AGAIN_S)
        log.info(
            "a portal has no queue of offline events for us; its comments are compared instead",
            member_id=member_id,
            why=why,
        )

    def _key(self, member_id: str) -> str:
        return f"{self._prefix}:no-queue:{{{member_id}}}"
