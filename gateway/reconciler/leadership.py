"""Lets one process of several do the work, for as long as it holds a lease."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import structlog

from gateway import metrics
from gateway.background import owned
from gateway.ending import end
from gateway.redis_access import connections
from gateway.redis_access.leases import Leases

__all__ = ["Leadership"]

log: Any = structlog.get_logger(__name__)

Work = Callable[[asyncio.Event], Awaitable[None]]
"""What a leader does until the event is set; it may be cancelled at any point."""


class Leadership:
    """Holds the lease `key`, which lasts `life_s` and is renewed three times in that time."""

    def __init__(self, leases: Leases, key: str, *, life_s: float, grace_s: float) -> None:
        self._leases = leases
        self._key = key
        self._life_s = life_s
        self._grace_s = grace_s
        self._until = 0.0
        self._task: asyncio.Task[None] | None = None
        self.beaten_at = time.monotonic()
        self.is_connected = False

    @property
    def is_leading(self) -> bool:
        """Whether this process is the one that works."""
        return self._task is not None

    async def run(self, work: Work, stop: asyncio.Event) -> None:
        """Lead whenever nobody else does, until `stop` is set; raises what the work raised.

        When the lease is lost, the work is cancelled. At a stop it has the grace time to end.
        """
        winding_down = asyncio.Event()
        try:
            while not stop.is_set():
                await self._beat(work, winding_down)
                await self._wait(stop)
            winding_down.set()
            if self._task is not None:
                await self._renew_until_done(self._task)
        finally:
            await self._end()
            with suppress(*connections.FAILURES):
                await self._leases.release(self._key)

    async def _beat(self, work: Work, winding_down: asyncio.Event) -> None:
        is_held = await self._hold()
        self.beaten_at = time.monotonic()
        is_over = is_held is False or self.beaten_at > self._until
        if self._task is not None and (is_over or self._task.done()):
            if not self._task.done():
                log.warning("leadership lost", lease=self._key)
            await self._end()
        if is_held and self._task is None:
            log.info("leading", lease=self._key)
            metrics.RECONCILE_LEADS.set(1)
            self._task = owned(_awaited(work(winding_down)), name="leader")

    async def _hold(self) -> bool | None:
        """Whether the lease is held; None if Redis does not say."""
        asked_at = time.monotonic()
        # A leader has to know it before its lease has run out.
        patience_s = max(0.1, self._until - asked_at) if self._task else self._life_s
        try:
            async with asyncio.timeout(patience_s):
                is_held = await self._leases.hold(self._key)
        except connections.FAILURES as error:
            if self.is_connected:
                log.warning("the lease waits for redis", error=f"{type(error).__name__}: {error}")
            self.is_connected = False
            return None
        self.is_connected = True
        if is_held:
            self._until = asked_at + self._life_s
        return is_held

    async def _wait(self, stop: asyncio.Event) -> None:
        """Until the next beat, or until told to stop, or until the work has ended."""
        stopping = owned(stop.wait())
        tasks = {stopping} | ({self._task} if self._task else set())
        await asyncio.wait(tasks, timeout=self._life_s / 3, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    async def _renew_until_done(self, task: asyncio.Task[None]) -> None:
        """Let the work end, within the grace time and as long as the lease is held."""
        until = time.monotonic() + self._grace_s
        while not task.done() and time.monotonic() < until:
            await asyncio.wait([task], timeout=min(self._life_s / 3, self._grace_s))
            if not task.done() and await self._hold() is False:
                return

    async def _end(self) -> None:
        """Cancel the work if it goes on, and raise what it raised."""
        if self._task is None:
            return
        task, self._task = self._task, None
        metrics.RECONCILE_LEADS.set(0)
        await end(task)
        if not task.cancelled():
            task.result()


async def _awaited(work: Awaitable[None]) -> None:
    await work
