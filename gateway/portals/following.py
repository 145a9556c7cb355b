"""Keeps the directory as Redis says: who is added or removed there may send, or not, in seconds."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from redis.exceptions import ResponseError

from gateway.background import Background
from gateway.portals.directory import Directory, Portal
from gateway.portals.disk_copy import DiskCopy
from gateway.portals.registry import Reading, Registration, Registry, is_lost, portals_among
from gateway.redis_access import connections

__all__ = ["Follower"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 2.0
_SLICE: Final = 100
"""Portals that are learnt before others have their turn: half a millisecond."""
_START_S: Final = 2.0
# How long a start waits for Redis, so that the first deliveries find their portals.


class Follower:
    """Looks for changes every two seconds, which is one GET, and reads everything after one.

    While Redis is away, the portals that are known go on; a Redis that has lost its data gets them
    back. Without a snapshot nothing is known at the start but what Redis says.
    """

    def __init__(
        self, directory: Directory, registry: Registry, snapshot: DiskCopy | None = None
    ) -> None:
        self._directory = directory
        self._registry = registry
        self._snapshot = snapshot
        self._known: Reading | None = None
        self._ending: list[Registration] = []
        self._trouble = ""
        self._has_looked = asyncio.Event()
        self._turn = asyncio.Lock()
        # The portals that are known go on meanwhile.
        self._following = Background(self._run, name="portals follower", begins_anew=True)

    async def start(self) -> None:
        """Learn the portals of the snapshot, then those of Redis if it answers; then follow."""
        if self._snapshot is not None:
            self._known = await asyncio.to_thread(self._snapshot.load)
        if self._known is not None:
            await self._learn(self._known)
        self._following.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_START_S):
                await self._has_looked.wait()

    async def close(self) -> None:
        """Stop following; the directory stays as it is."""
        await self._following.close()

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except connections.FAILURES as error:
                self._tell("redis does not tell the registered portals", repr(error))
            finally:
                self._has_looked.set()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """Know what Redis knows now.

        Raises one of connections.FAILURES if it does not say; then all stays as it is.
        """
        async with self._turn:
            await self._look()

    async def _look(self) -> None:
        version = await self._registry.version()
        if self._known is not None and is_lost(self._known, version):
            await self._put_back(self._known)
            return  # the next look reads them
        if self._known is None or version != self._known.version or self._has_ended():
            reading = await self._registry.read_in_pages()
            if is_lost(self._known, reading.version):
                return
            await self._learn(reading)
            self._known = reading  # not before it is learnt: who is cancelled meanwhile reads again
            log.info("portals learnt", portals=len(self._directory))
            if self._known.unreadable_count:
                log.warning("registrations are unreadable", count=self._known.unreadable_count)
            if self._known.version is not None and self._snapshot is not None:
                await asyncio.to_thread(self._snapshot.save, self._known)
        self._trouble = ""

    async def settle(self, portals: Iterable[Portal]) -> None:
        """Let the directory know other portals of the settings beside those that Redis knows."""
        async with self._turn:
            self._directory.settle(portals)
            await self._learn(self._known or Reading(None, ()))

    async def _learn(self, reading: Reading) -> None:
        """Let the directory know these, portal by portal: others have their turn in between."""
        now = datetime.now(UTC)
        by_portal: dict[str, list[Registration]] = {}
        ending = []
        for number, one in enumerate(reading.registrations):
            if one.ends_at is not None:
                ending.append(one)
            if not one.has_ended(now):
                by_portal.setdefault(one.member_id, []).append(one)
            if not number % _SLICE:
                await asyncio.sleep(0)
        for number, ours in enumerate(by_portal.values()):
            self._directory.learn_some(portals_among(ours))
            if not number % _SLICE:
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        self._directory.forget_others(by_portal.keys())
        self._ending = ending
        await asyncio.sleep(0)  # to let go of the former reading takes a millisecond, too

    def _has_ended(self) -> bool:
        """Whether one of the tokens may not send any more, without anybody's doing."""
        now = datetime.now(UTC)
        return any(one.has_ended(now) for one in self._ending)

    async def _put_back(self, known: Reading) -> None:
        try:
            if await self._registry.put_back(known):
                log.warning(
                    "redis had lost the registered portals; they were put back",
                    registrations=len(known.registrations),
                )
        except ResponseError as error:  # out of memory, read-only, no permission
            self._tell("redis has lost the registered portals", repr(error))

    def _tell(self, trouble: str, detail: str) -> None:
        """One line for each kind of trouble, not one for each look."""
        if trouble != self._trouble:
            log.warning(trouble, detail=detail, portals=len(self._directory))
        self._trouble = trouble
