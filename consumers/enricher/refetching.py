"""Asks again for comments and objects without which events went out, and sends these once more.

They come with the same event id, marked as old: sinks replace what they had, and nobody is told of
anything twice.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

import structlog

from consumers import Partition, Transient
from consumers.enricher import metrics
from consumers.enricher.enriching import enriched, remembered
from consumers.enricher.fetch_rules import FetchRules
from consumers.enricher.portal_requests import PortalRequests
from consumers.enricher.reach import Wait
from consumers.enricher.refetch_queue import RefetchQueue, Waiting
from consumers.enricher.snapshots import Snapshots
from consumers.enricher.wanted import Wanted
from gateway.background import Errands
from gateway.bitrix24.batching import MAX_COMMANDS
from gateway.bitrix24.fetch_methods import Fetched
from gateway.contract import decode_event
from gateway.redis_access.connections import FAILURES

__all__ = ["Refetching"]

log: Any = structlog.get_logger(__name__)


class Refetching:
    """Looks every `every_s` seconds at what is due on one partition, of whose lease `owner` tells.

    What is due waits for its next turn at once, and leaves the queue only when it has been sent:
    it survives this process, and a portal that takes long keeps nobody from looking at the others.
    """

    def __init__(
        self,
        owner: Partition,
        rules: FetchRules,
        queue: RefetchQueue,
        asking: PortalRequests,
        snapshots: Snapshots,
        *,
        every_s: float,
    ) -> None:
        self._owner = owner
        self._rules = rules
        self._queue = queue
        self._asking = asking
        self._snapshots = snapshots
        self._every_s = every_s
        self._turn: dict[str, dict[str, Waiting]] = {}
        self._serving = Errands("refetching a portal")

    async def run(self) -> None:
        """Go on until cancelled."""
        try:
            while True:
                await asyncio.sleep(self._every_s)
                try:
                    await self._look()
                except FAILURES as error:
                    log.warning("refetching waits for Redis", error=type(error).__name__)
        finally:
            await self._serving.close()
            metrics.REFETCH_WAITING.remove_by_labels({"partition": str(self._owner.number)})

    async def _look(self) -> None:
        """Begin with all that is due, each portal by itself."""
        number = self._owner.number
        if self._queue.is_former(number):
            await self._queue.move(number)
        await self._give_up(await self._queue.over_bound(number), "too many")
        while due := await self._queue.due(number):
            await self._queue.postpone(number, due)
            old = [event_id for event_id, one in due.items() if self._queue.is_expired(one)]
            await self._give_up(old, "too old")
            for event_id, one in due.items():
                if event_id not in old:
                    self._put(event_id, one)
        metrics.REFETCH_WAITING.labels(number).set(await self._queue.count(number))

    def _put(self, event_id: str, waiting: Waiting) -> None:
        event = decode_event(waiting.event)
        if self._rules.wanted(event) is None:  # it is not declared any more
            return
        member_id = event.source.rpartition(":")[2]
        if member_id in self._turn:
            self._turn[member_id][event_id] = waiting
            return
        self._turn[member_id] = {event_id: waiting}
        self._serving.begin(self._serve(member_id), member_id=member_id)

    async def _serve(self, member_id: str) -> None:
        """Take a portal's turn; what fails has its next turn in the queue."""
        turn = self._turn[member_id]
        try:
            while turn:
                await self._refetch(member_id, turn)
        except (Transient, *FAILURES) as error:
            log.warning("refetching waits for Redis", error=type(error).__name__)
        finally:
            del self._turn[member_id]

    async def _refetch(self, member_id: str, turn: dict[str, Waiting]) -> None:
        """Ask for up to fifty objects, and send the events about them."""
        by_object: dict[Wanted, dict[str, Waiting]] = {}
        for event_id in list(turn):
            one = self._rules.wanted(decode_event(turn[event_id].event))
            assert one is not None  # noqa: S101 - others were not put here
            if one in by_object or len(by_object) < MAX_COMMANDS:
                by_object.setdefault(one, {})[event_id] = turn.pop(event_id)
        told = await self._asking.ask(member_id, list(by_object))
        for one, fetched in told.items():
            if isinstance(fetched, Wait):
                if not fetched.seconds:  # the one that makes requests fail is looked for
                    turn |= by_object[one]
            elif fetched.state != "unavailable":
                await self._send(member_id, one, fetched, by_object[one])

    async def _send(
        self, member_id: str, wanted: Wanted, fetched: Fetched, waiting: Mapping[str, Waiting]
    ) -> None:
        number = self._owner.number
        if fetched.state == "deleted":
            known = await self._snapshots.read(number, member_id, (wanted,))
            fetched = remembered(fetched, known.get(wanted))
        writes = self._snapshots.writes(number, member_id, wanted, fetched)
        for event_id in sorted(waiting):  # which are ordered by time
            event = enriched(waiting[event_id].event, fetched)
            if await self._queue.emit(self._owner, event_id, event, writes):
                metrics.REFETCHED.labels(fetched.state).inc()
                log.info("an event went out again", event_id=event_id, state=fetched.state)

    async def _give_up(self, event_ids: Collection[str], cause: str) -> None:
        if event_ids:
            await self._queue.forget(self._owner.number, event_ids)
            metrics.GIVEN_UP.labels(cause).inc(len(event_ids))
            log.warning(
                "comments and objects will not be asked for again",
                cause=cause,
                events=len(event_ids),
            )
