"""Asks the server how the group stands on a partition, shows it, and tells of losses."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from consumers.runtime.group_progress import GroupProgress
from consumers.runtime.lua_scripts import Acquired, Inspection
from consumers.runtime.tenure import Tenure
from gateway.background import Errands
from gateway.contract import DeadLetter, EntryId
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.redis_access.entry_count import CountedStream, count_entries

__all__ = ["GroupInspection"]

log = structlog.get_logger()

_DEAD_LETTERS_READ: Final = 100
"""Dead letters of one look at a partition's recent ones, each of which may hold a long comment."""


class GroupInspection:
    """Keeps the account of a partition, shows it in the metrics, and tells each loss once.

    `former` is what a former owner has left of that account, if any; `every_s` says how often the
    server is to be asked. To be used by the partition's reader alone, with no read under way.
    """

    def __init__(
        self, tenure: Tenure, *, former: Acquired | None, every_s: Callable[[], float]
    ) -> None:
        self._tenure = tenure
        self._progress = (
            GroupProgress(former.missed_count, erased_count=former.erased_count)
            if former
            else GroupProgress()
        )
        self._every_s = every_s
        self._counting = Errands("counting a lag")
        self._due_at = 0.0

    @property
    def told(self) -> tuple[int | None, int]:
        """What the next owner has to know to tell each loss once: missing entries, erased ones."""
        return self._progress.missed_count, self._progress.erased_count

    @property
    def is_due(self) -> bool:
        """Whether the server is to be asked again."""
        return time.monotonic() >= self._due_at

    def read(self, count: int) -> None:
        """Note entries that were delivered."""
        self._progress.read(count)

    async def begin(self, client: Redis) -> Inspection:
        """Begin the account anew, before the first read of a connection."""
        inspection = await self._asked()
        lost = self._progress.begin(inspection)
        if self._progress.lag is None:
            self._counting.begin(self._count(client, inspection))
        self._tell(inspection, lost)
        return inspection

    async def inspect(self) -> Inspection:
        """Bring the account up to date."""
        inspection = await self._asked()
        # Given by the server, and never seen here: they were read, not lost.
        in_flight_count = self._tenure.in_flight.count(self._tenure.keys.shared)
        self._progress.read(max(0, inspection.pending_count - in_flight_count))
        self._tell(inspection, self._progress.inspected(inspection))
        return inspection

    async def recall_dead_letters(self, client: Redis, *, now_ms: int) -> None:
        """Count recent dead letters of the partition against the limit; those of others too."""
        keys, rate = self._tenure.keys, self._tenure.rate
        start = str(max(now_ms - int(rate.limit.window_s * 1000), 0))
        is_more = True
        while is_more:
            letters: Any = await client.xrange(keys.dead, start, "+", count=_DEAD_LETTERS_READ)
            for letter_id, fields in letters:
                age_s = (now_ms - EntryId.of(letter_id).ms) / 1000
                rate.buried(time.monotonic() - age_s, DeadLetter.of(fields).reason)
                start = f"({letter_id.decode()}"
            is_more = len(letters) == _DEAD_LETTERS_READ

    async def close(self) -> None:
        """Count nothing any more on the connection that `begin` was given."""
        await self._counting.close()

    async def _asked(self) -> Inspection:
        keys = self._tenure.keys
        inspection = await self._tenure.scripts.inspect(
            (keys.shared.key, keys.redeliveries.key, keys.dead, keys.lease), group=keys.group
        )
        self._due_at = time.monotonic() + self._every_s()
        return inspection

    async def _count(self, client: Redis, inspection: Inspection) -> None:
        """Count what was left at an inspection, on the side."""
        keys = self._tenure.keys
        first, last = f"({inspection.delivered_id}", inspection.last_id
        with suppress(*AWAY_OR_REFUSING):  # the next beginning counts again
            stream = CountedStream(keys.shared.key, keys.marks)
            left = await count_entries(client, stream, first, last)
            self._progress.counted(left.count, is_estimate=left.is_estimate)
            self._tenure.metrics.of_partitions.lags(keys.partition, self._progress.lag)

    def _tell(self, inspection: Inspection, lost: int) -> None:
        oldest_s = 0.0
        if inspection.oldest_pending_id:
            oldest_ms = EntryId.of(inspection.oldest_pending_id).ms
            oldest_s = max(0.0, (inspection.now_ms - oldest_ms) / 1000)
        self._tenure.metrics.of_partitions.stands(
            self._tenure.keys.partition,
            lag=self._progress.lag,
            pending=inspection.pending_count + inspection.redelivery_count,
            oldest_s=oldest_s,
            dead=inspection.dead_count,
        )
        self._tell_missing(
            lost, self._progress.erased_among(lost, inspection), first_id=inspection.first_id
        )

    def _tell_missing(self, missing: int, erased: int, *, first_id: str) -> None:
        """Tell of entries that the group had still to read: an alarm, but for erased ones."""
        tenure, keys = self._tenure, self._tenure.keys
        about = {"stream": keys.shared.key, "group": keys.group}
        if erased:
            tenure.metrics.erased(erased)
            log.info(
                "entries were erased on request before the group had read them",
                entries=erased,
                **about,
            )
        if lost := missing - erased:
            tenure.metrics.lost("trimmed", lost)
            log.error(
                "entries were trimmed or deleted before the group had read them",
                entries=lost,
                first_id=first_id,
                **about,
            )
