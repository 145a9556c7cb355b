"""Measures what each portal sends, over all receivers, and tells of one that sends unusually much.

    b24:rates:<Unix time / 60>   hash: member id -> events in that minute; kept for three minutes

and what gateway.traffic.portal_traffic keeps for longer.

Nothing is ever dropped for it: a portal that imports ten thousand deals is a good customer.
"""

import asyncio
from collections import defaultdict
from contextlib import suppress
from time import time
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from gateway import metrics
from gateway.background import Background
from gateway.metric_series import end_series
from gateway.portals.directory import Directory
from gateway.redis_access import connections
from gateway.traffic.portal_traffic import count_into
from gateway.traffic.rates import LocalTally, Tally, alarming

__all__ = ["RateWatch"]

log: Any = structlog.get_logger(__name__)

_EVERY_S: Final = 10.0
_KEPT_S: Final = 180


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
        self._client = client
        self._directory = directory
        self._prefix = prefix
        self._limit = limit
        self._local = LocalTally()
        self._shown_minute = 0
        self._peaks: defaultdict[str, int] = defaultdict(int)
        # Events are stored whether they are measured or not.
        self._measuring = Background(self._run, name="portal rates", begins_anew=True)

    def start(self) -> None:
        """Start measuring."""
        self._measuring.start()

    async def close(self) -> None:
        """Stop measuring."""
        await self._measuring.close()

    async def measure(self, now: float) -> None:
        """Add up what was counted since the last time; `now` is Unix time in seconds."""
        minute = int(now // 60)
        added = dict(self.counts)
        self.counts.clear()
        tally = self._local.add(minute, added)
        with suppress(*connections.FAILURES):
            tally = await self._shared(minute, added, now=now)
        for member_id in alarming(tally, self._limit):
            metrics.PORTAL_ALARMS.labels(member_id).inc()
            if tally.previous.get(member_id, 0) <= self._limit:  # else it is told already
                log.warning(
                    "a portal sends unusually much; nothing is dropped",
                    member_id=member_id,
                    events=tally.current[member_id],
                    alarm_per_minute=self._limit,
                )
        if minute != self._shown_minute:
            self._shown_minute = minute
            self._show(tally)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.measure(time())

    async def _shared(self, minute: int, added: dict[str, int], *, now: float) -> Tally:
        key, key_before = f"{self._prefix}:rates:{minute}", f"{self._prefix}:rates:{minute - 1}"
        async with self._client.pipeline(transaction=False) as pipeline:
            for member_id, count in added.items():
                pipeline.hincrby(key, member_id, count)
            pipeline.expire(key, _KEPT_S)
            pipeline.hgetall(key_before)
            count_into(pipeline, added, prefix=self._prefix, now=now, watched_s=_EVERY_S)
            results = await pipeline.execute()
        totals, previous = results[: len(added)], results[len(added) + 1]
        return Tally(
            added,
            dict(zip(added, totals, strict=True)),
            {member_id.decode(): int(count) for member_id, count in previous.items()},
        )

    def _show(self, tally: Tally) -> None:
        registered = {portal.member_id for portal in self._directory}
        for member_id in self._peaks.keys() - registered:
            del self._peaks[member_id]
            end_series(metrics.PORTAL_EVENTS_PER_MINUTE, member_id)
            end_series(metrics.PORTAL_PEAK_PER_MINUTE, member_id)
        for member_id in registered:
            events = tally.previous.get(member_id, 0)
            self._peaks[member_id] = max(self._peaks[member_id], events)
            metrics.PORTAL_EVENTS_PER_MINUTE.labels(member_id).set(events)
            metrics.PORTAL_PEAK_PER_MINUTE.labels(member_id).set(self._peaks[member_id])
