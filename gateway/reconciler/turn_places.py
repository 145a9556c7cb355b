"""Bounds how many portals have a turn at a time, so that those which hang wait by themselves.

Each duty has places of its own: none starves another. There are as many as it takes to be through
with all that wait within half of the duty's interval, going by how long turns take: with few or
quick portals a few, with many slow ones more, since all that a turn does then is wait. A turn
keeps its place for some seconds and then goes on without one. Portals that did not answer the last
time have a few places to themselves, so that a hundred of them cost the others nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

__all__ = ["TurnPlaces", "places_for"]

_KEPT_S: Final = 5.0
"""A portal that works answers several calls in that time. With 32 places, 1,000 portals of which a
hundred hang delay the others by a quarter of a minute when they are met for the first time; at most
some 800 turns go on without a place then, a task and a connection each."""
_SHARE_OF_ABSENT: Final = 4
_FEWEST: Final = 32
_LAST_TURNS: Final = 20
"""How long turns take is told by about so many of the last."""


def places_for(waiting_count: int, turn_s: float, *, within_s: float, most: int) -> int:
    """How many places it takes for so many turns of this length to be through in time."""
    wanted = 1 + int(waiting_count * turn_s / within_s)
    return min(most, max(wanted, _FEWEST))


class TurnPlaces:
    """Gives out the places of one duty, which is due every `every_s` seconds: `most` at a time.

    Those who wait for one have it in their order; `behind_count` more are due, and not here yet.
    """

    def __init__(self, most: int, *, every_s: float) -> None:
        self._most = most
        self._within_s = every_s / 2
        self._turn_s = 0.0
        self._turn_count = 0
        self._count = min(most, _FEWEST)
        self._taken_count = 0
        self.behind_count = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._absent = asyncio.Semaphore(max(1, min(most, _FEWEST) // _SHARE_OF_ABSENT))

    @asynccontextmanager
    async def taken(self, *, is_absent: bool) -> AsyncIterator[None]:
        """Wait for a place; `is_absent` is whether the portal did not answer the last time."""
        if is_absent:
            async with self._absent:
                yield
            return
        await self._take()
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        giving_back = loop.call_later(_KEPT_S, self._give_back, _KEPT_S)
        try:
            yield
        finally:
            if giving_back.when() > loop.time():
                giving_back.cancel()
                self._give_back(loop.time() - began_s)

    @property
    def waiting_count(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    async def _take(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._give_out()
        try:
            await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled():  # given out, and not taken any more
                self._taken_count -= 1
            self._give_out()
            raise

    def _give_back(self, turn_s: float) -> None:
        self._turn_count = min(self._turn_count + 1, _LAST_TURNS)
        self._turn_s += (turn_s - self._turn_s) / self._turn_count
        self._taken_count -= 1
        self._give_out()

    def _give_out(self) -> None:
        waiting_count = len(self._waiting) + self.behind_count
        wanted = places_for(waiting_count, self._turn_s, within_s=self._within_s, most=self._most)
        # Not fewer as the last ones come up: each of those who wait is to be through in time.
        self._count = max(self._count, wanted) if self._waiting else wanted
        while self._waiting and self._taken_count < self._count:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                self._taken_count += 1
