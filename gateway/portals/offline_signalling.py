"""Passes on that something waits in a portal's queue of offline events, behind the request."""

import asyncio
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway.background import Background
from gateway.bitrix24.offline_signals import signal
from gateway.redis_access import connections

__all__ = ["OfflineSignals"]

log: Any = structlog.get_logger(__name__)

_AGAIN_S: Final = 5.0


class OfflineSignals:
    """Keeps the portals that have signalled until Redis knows; while it is away they wait here."""

    def __init__(self, client: Redis, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._waiting: dict[str, None] = {}
        self._has_work = asyncio.Event()
        # Without a signal, queues are looked at in their turn.
        self._passing = Background(self._run, name="offline signals", begins_anew=True)

    def note(self, member_id: str) -> None:
        """A registered portal has signalled. Neither waits nor raises."""
        self._waiting[member_id] = None
        self._has_work.set()

    def start(self) -> None:
        """Start passing on."""
        self._passing.start()

    async def close(self) -> None:
        """Stop; queues of which nobody knows by then are looked at in their turn."""
        await self._passing.close()

    async def _run(self) -> None:
        while True:
            try:
                while self._waiting:
                    member_id = next(iter(self._waiting))
                    await signal(self._client, member_id, prefix=self._prefix)
                    self._waiting.pop(member_id)
            except connections.FAILURES as error:
                log.warning("redis does not take offline signals", error=repr(error))
                await asyncio.sleep(_AGAIN_S)
                continue
            self._has_work.clear()
            await self._has_work.wait()
