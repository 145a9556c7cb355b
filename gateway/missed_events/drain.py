"""Drains portals' queues of offline events: publishes what did not arrive online, clears the rest.

The portal puts every change into the queue, whether it was delivered or not. For each portal:

1. it is asked of which events rows wait: of most of the events that are subscribed to, none do;
2. rows of these are reserved that nobody has touched for [reconcile] settle_s, and that are older
   than anything that may still wait in a receiver's spool: of their time, the streams are complete;
3. those that are not on the stream are published, each once by an id that follows from the row;
4. what was missed is noted for the report, once for each reservation;
5. exactly the rows that were read are cleared.

A process may die between any two steps. What it has reserved stays in the portal, is found there by
the next one, and goes the same way from step 3 on: what was published is not published again.
docs/decisions/0009-missed-events.md
"""

import time
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from msgspec import Struct

from gateway import metrics
from gateway.bitrix24.errors import Bitrix24Error, NoCredentials
from gateway.missed_events.dependencies import Dependencies
from gateway.missed_events.gaps import gaps_of
from gateway.missed_events.missed_rows import first_look_s, key_of, missed, recovered
from gateway.missed_events.portal_queue import PortalQueue, Reservation, has_no_queue
from gateway.missed_events.queue_rows import OfflineRow, QueueRows
from gateway.portals.directory import Portal

__all__ = ["Drain"]

log: Any = structlog.get_logger(__name__)

_MAX_RESERVATIONS: Final = 10
# Of one event, a thousand rows each; then other portals have their turn.
_MAX_TURNS: Final = 10
# What waits is looked at so often: each time, the rows of all events are reserved that it shows.
_SLACK_S: Final = 5.0
# The difference of the clocks is measured anew with each answer, which may take a while.


class _State(Struct):
    """What is known of a portal's queue since this process leads."""

    queue: PortalQueue
    has_reservations: bool = True
    """Whether rows may be reserved that nobody deals with: at first, and after any failure."""
    may_reserve: bool = False
    """Whether the portal has let us: looking is allowed where reserving is not."""


class Drain:
    """Drains a portal's queue of the events that are subscribed to, which is a duty; one task at a
    time does it.

    It does nothing for portals that have not installed the application.
    """

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._own = dependencies.settings.reconcile
        self._webhooks = {
            one.member_id for one in dependencies.settings.portals if one.rest_webhook
        }
        self._rows = QueueRows(dependencies.settings.subscription)
        self._states: dict[str, _State] = {}

    async def carry_out(self, portal: Portal) -> float | None:
        """Drain a portal's queue, as far as it can be judged by now.

        Raises Bitrix24Error, StreamUnavailable, one of connections.FAILURES.
        """
        if self._dependencies.holds_back() or await self._dependencies.refusals.is_refused(
            portal.member_id
        ):
            return None
        try:
            state = self._state_of(portal.member_id)
            is_empty = await self._drain(portal, state)
        except NoCredentials as error:
            if portal.member_id in self._webhooks:  # by which its comments can be compared
                await self._dependencies.refusals.note(portal.member_id, str(error))
            return None
        except Bitrix24Error as error:
            if not has_no_queue(error):
                raise
            self._states.pop(portal.member_id, None)
            await self._dependencies.refusals.note(portal.member_id, str(error))
            return None
        if not is_empty:
            return 0.0
        metrics.QUEUE_DRAINED_SECONDS.set(portal.member_id, value=time.time())
        return self._own.settle_s if state.has_reservations else None

    async def _drain(self, portal: Portal, state: _State) -> bool:
        """Drain for a turn; whether all was reserved that there was."""
        queue = state.queue
        if not self._rows.event_names:
            return True
        if state.has_reservations:
            state.has_reservations = not await self._finish(portal, queue)
        for _ in range(_MAX_TURNS):
            until = await self._dependencies.settled_until()
            if self._dependencies.holds_back():
                return True
            names = await queue.waiting(until=until)
            if not names and state.may_reserve:
                return True
            for event_name in names or self._rows.event_names[:1]:
                if not await self._drain_of(portal, state, event_name):
                    return False
            if not names:
                return True
        return False

    async def _drain_of(self, portal: Portal, state: _State, event_name: str) -> bool:
        """Drain rows of an event for a turn; whether all were reserved that there were."""
        queue = state.queue
        for _ in range(_MAX_RESERVATIONS):
            if self._dependencies.holds_back():
                return True
            until = await self._dependencies.settled_until()
            is_left, state.has_reservations = state.has_reservations, True
            reservation = await queue.reserve(event_name, until=until)
            state.may_reserve = True
            is_left |= not await self._deal_with(portal, queue, reservation, until=until)
            state.has_reservations = is_left
            if is_left or not reservation.has_more:
                return True
        return False

    async def _finish(self, portal: Portal, queue: PortalQueue) -> bool:
        """Deal with what is reserved, by whomever; false if it is too early for some of it."""
        is_all = True
        for process_id in await queue.reservations():
            until = await self._dependencies.settled_until()
            is_dealt_with = True
            while is_dealt_with and (reservation := await queue.read(process_id)):
                log.info("reservation found", member_id=portal.member_id, process_id=process_id)
                is_dealt_with = await self._deal_with(portal, queue, reservation, until=until)
            is_all &= is_dealt_with
        return is_all

    async def _deal_with(
        self, portal: Portal, queue: PortalQueue, reservation: Reservation, *, until: float
    ) -> bool:
        """Publish what was missed, and clear all; false if it is too early for some of it."""
        rows, ahead_s = reservation.rows, queue.clock_ahead_s
        if any(row.changed_at - ahead_s > until + _SLACK_S for row in rows):
            return False
        if rows:
            found = await self._missed(portal.member_id, rows, ahead_s)
            await self._publish(portal, reservation.process_id, found)
            await queue.clear(reservation.process_id, [row.message_id for row in rows])
            metrics.OFFLINE_ROWS.labels("arrived").inc(len(rows) - len(found))
            metrics.OFFLINE_ROWS.labels("missed").inc(len(found))
        if reservation.unreadable:
            await queue.set_aside(reservation.process_id, reservation.unreadable)
            metrics.OFFLINE_ROWS.labels("unreadable").inc(len(reservation.unreadable))
            log.warning(
                "rows of a portal's queue cannot be read; they are marked there as errors",
                member_id=portal.member_id,
                rows=len(reservation.unreadable),
            )
        return True

    async def _missed(
        self, member_id: str, rows: tuple[OfflineRow, ...], clock_ahead_s: float
    ) -> list[OfflineRow]:
        online = await self._dependencies.online_events.of(
            [key_of(member_id, row) for row in rows],
            since_ms=int(first_look_s(rows, clock_ahead_s=clock_ahead_s) * 1000),
        )
        return missed(
            rows,
            online,
            member_id=member_id,
            tolerance_s=self._own.tolerance_s,
            clock_ahead_s=clock_ahead_s,
        )

    async def _publish(self, portal: Portal, process_id: str, rows: list[OfflineRow]) -> None:
        if not rows:
            return
        found_at = datetime.now(UTC)
        events = [recovered(row, portal, found_at=found_at) for row in rows]
        published = await self._dependencies.publisher.publish(events)
        gaps = gaps_of((row.changed_at for row in rows), "queue")
        await self._dependencies.gaps.note(portal.member_id, process_id, gaps)
        metrics.RECOVERED_EVENTS.labels("queue").inc(published)
        log.warning(
            "missed events recovered",
            member_id=portal.member_id,
            way="queue",
            events=len(events),
            published_now=published,
            gaps=len(gaps),
            first=events[0].time,
            last=events[-1].time,
        )

    def _state_of(self, member_id: str) -> _State:
        if member_id not in self._states:
            connector = self._dependencies.settings.bitrix24.auth_connector
            application = self._dependencies.application_of(member_id)
            queue = PortalQueue(application, self._rows, connector=connector)
            self._states[member_id] = _State(queue=queue)
        return self._states[member_id]
