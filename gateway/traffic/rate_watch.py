"""Measures what each portal sends, over all receivers, and tells of one that sends unusually much.

The minutes are kept by gateway.traffic.minute_ranking, and gateway.traffic.portal_traffic keeps
more for longer. Nothing is ever dropped for it: a portal that imports ten thousand deals is a good
customer.
"""

import asyncio
import heapq
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from operator import itemgetter
from time import time
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway import metrics
from gateway.background import Background
from gateway.portals.directory import Directory
from gateway.redis_access import connections
from gateway.traffic.minute_ranking import Busiest, MinuteRanking
from gateway.traffic.portal_traffic import TrafficCounter
from gateway.traffic.rates import LocalTally, Tally, alarming

__all__ = ["RateWatch"]

log: Any = structlog.get_logger(__name__)

_EVERY_S: Final = 10.0
_SLICE: Final = 200
"""Portals that are added up before others have their turn: half a millisecond."""
_SHOWN: Final = 20


class RateWatch:
    """Adds up what each portal sends, and warns of one that sends unusually much.

    Whoever accepts an event adds one to `counts[member_id]`, and that is all it costs there. Counts
    that were added up are gone from it.

    Every ten seconds the counts are added up in Redis, which is as exact as they are: an event may
    count for the next minute, and twice where Redis's answer was lost. While Redis is away, this
    process goes by its own counts. `limit` is in events a minute, 0 for none.
    """

    def __init__(self, client: Redis, directory: Directory, *, prefix: str, limit: int) -> None:
        self.counts: dict[str, int] = {}
        self._directory = directory
        self._limit = limit
        self._ranking = MinuteRanking(client, prefix=prefix)
        self._traffic = TrafficCounter(client, prefix=prefix)
        self._local = LocalTally()
        self._shown_minute = 0
        # Events are stored whether they are measured or not.
        self._measuring = Background(self._run, name="portal rates", begins_anew=True)

    def start(self) -> None:
        """Start measuring."""
        self._measuring.start()

    async def close(self) -> None:
        """Stop measuring."""
        await self._measuring.close()

    async def measure(self, now: float) -> None:
        """Add up what was counted since the last time; `now` is Unix time in seconds.

        Others have their turn after each few portals.
        """
        minute = int(now // 60)
        added = dict(self.counts)
        self.counts.clear()
        is_shared = await self._is_noted(now)
        for some in _slices(added):
            tally = self._local.add(minute, some)
            if is_shared:
                try:
                    tally = await self._ranking.add(minute, some)
                    await self._traffic.count(some, now=now)
                except connections.FAILURES:
                    is_shared = False  # whoever is away is not asked for each slice
            self._tell(tally)
            await asyncio.sleep(0)
        if minute != self._shown_minute:
            self._shown_minute = minute
            await self._show(minute - 1)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.measure(time())

    async def _is_noted(self, now: float) -> bool:
        """Note that this receiver was there to count; whether that was possible."""
        try:
            await self._traffic.watched(_EVERY_S, now=now)
        except connections.FAILURES:
            return False
        return True

    def _tell(self, tally: Tally) -> None:
        for member_id in alarming(tally, self._limit):
            metrics.PORTAL_ALARMS.inc()
            if tally.previous.get(member_id, 0) <= self._limit:  # else it is told already
                log.warning(
                    "a portal sends unusually much; nothing is dropped",
                    member_id=member_id,
                    events=tally.current[member_id],
                    alarm_per_minute=self._limit,
                )

    async def _show(self, minute: int) -> None:
        own = self._local.of(minute)
        events = dict(heapq.nlargest(_SHOWN, own.items(), key=itemgetter(1)))
        busiest = Busiest(events, len(own))
        with suppress(*connections.FAILURES):
            busiest = await self._ranking.busiest(minute, _SHOWN)
        metrics.PORTAL_EVENTS_PER_MINUTE.replace(
            {
                member_id: events
                for member_id, events in busiest.events.items()
                if self._directory.find(member_id) is not None
            }
        )
        metrics.SENDING_PORTALS.set(busiest.sending_count)


def _slices(added: Mapping[str, int]) -> Iterator[dict[str, int]]:
    left = iter(added.items())
    while some := dict(islice(left, _SLICE)):
        yield some
