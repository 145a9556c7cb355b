"""Bounds how many portals have a turn at a time, so that those which hang wait by themselves.

Each duty has places of its own: none starves another. A turn keeps its place for some seconds and
then goes on without one, since all that it does is wait. Portals that did not answer the last time
have a few places to themselves, so that a hundred of them cost the others nothing.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

__all__ = ["TurnPlaces"]

_KEPT_S: Final = 5.0
"""A portal that works answers several calls in that time. With 32 places, 1,000 portals of which a
hundred hang delay the others by a quarter of a minute when they are met for the first time; at most
some 800 turns go on without a place then, a task and a connection each."""
_SHARE_OF_ABSENT: Final = 4


class TurnPlaces:
    """Gives out the places of one duty; those who wait for one have it in their order."""

    def __init__(self, at_once: int) -> None:
        self._usual = asyncio.Semaphore(at_once)
        self._absent = asyncio.Semaphore(max(1, at_once // _SHARE_OF_ABSENT))

    @asynccontextmanager
    async def taken(self, *, is_absent: bool) -> AsyncIterator[None]:
        """Wait for a place; `is_absent` is whether the portal did not answer the last time."""
        if is_absent:
            async with self._absent:
                yield
            return
        await self._usual.acquire()
        giving_back = asyncio.get_running_loop().call_later(_KEPT_S, self._usual.release)
        try:
            yield
        finally:
            if giving_back.when() > asyncio.get_running_loop().time():
                giving_back.cancel()
                self._usual.release()
