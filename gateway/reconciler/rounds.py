"""Carries out the duties: for many portals at once, so that none waits for another one.

A duty that fails for a portal is told when it begins to fail, and again only after it went well.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog

from gateway import metrics
from gateway.background import Errands
from gateway.bitrix24.errors import Bitrix24Error, StoreUnavailable, Unavailable
from gateway.portals.directory import Portal
from gateway.publishing.errors import StreamUnavailable
from gateway.reconciler.absences import Absences
from gateway.reconciler.duties import Duty, Timetable
from gateway.reconciler.turn_places import TurnPlaces
from gateway.redis_access import connections
from gateway.retention.episodes import Episodes

__all__ = ["EXPECTED", "Rounds"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 0.5
_AHEAD: Final = 512
"""Turns of a duty that wait for a place, each a task of 4 kB: what one look at most begins."""
EXPECTED: Final = (Bitrix24Error, StreamUnavailable, *connections.FAILURES)
"""What a duty may raise because of somebody else."""


class Rounds:
    """Goes the rounds of one leader over the portals of `portals`, of which at most `at_once` have
    a place at each duty.

    A portal that does not answer is asked rarely, by one duty at a time, and takes no place of
    those that do.
    """

    def __init__(self, duties: Sequence[Duty], portals: Iterable[Portal], *, at_once: int) -> None:
        self._duties = duties
        self._portals = portals
        self._timetable = Timetable(duties)
        self._places = {duty.name: TurnPlaces(at_once, every_s=duty.every_s) for duty in duties}
        self._due: dict[str, deque[tuple[str, float]]] = {duty.name: deque() for duty in duties}
        self._absences = Absences()
        self._under_way = Errands("duties")
        self._episodes = Episodes()

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop` is set, and finish what was begun.

        Cancelled, it cancels that too.
        """
        try:
            while not stop.is_set():
                portals = {portal.member_id: portal for portal in self._portals}
                now = time.monotonic()
                for duty, member_id, since in self._timetable.due(portals, now):
                    self._due[duty.name].append((member_id, since))
                for duty in self._duties:
                    self._begin_some(duty, portals, now)
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await stop.wait()
            await self._under_way.finish()
        finally:
            await self._under_way.close()

    async def once(self) -> bool:
        """Carry out the duties once for each portal, in their order; whether all went well."""

        async def all_of(portal: Portal) -> bool:
            went = [await self._carry_out(duty, portal, due_since=None) for duty in self._duties]
            return all(went)

        async with asyncio.TaskGroup() as tasks:
            begun = [tasks.create_task(all_of(portal)) for portal in self._portals]
        return all(task.result() for task in begun)

    def wake(self, name: str, member_id: str, *, in_s: float) -> None:
        """Let a duty be due in so many seconds, if it is not earlier anyway."""
        self._timetable.wake(name, member_id, at=time.monotonic() + in_s)

    def signalled(self, name: str, member_id: str) -> None:
        """A portal has told of itself: let a duty be due now, whatever is thought of the portal."""
        self._absences.answered(member_id)
        self.wake(name, member_id, in_s=0.0)

    def _begin_some(self, duty: Duty, portals: Mapping[str, Portal], now: float) -> None:
        """Begin what is due for longest, as much as will have a place soon."""
        due, places = self._due[duty.name], self._places[duty.name]
        for _ in range(min(len(due), _AHEAD - places.waiting_count)):
            member_id, since = due.popleft()
            if member_id not in portals:
                self._timetable.done(duty, member_id)
            elif duty.asks and (wait_s := self._absences.ask_in_s(member_id, now)):
                self._timetable.put_off(duty, member_id, at=now + wait_s)
            else:
                self._under_way.begin(self._carry_out(duty, portals[member_id], due_since=since))
        places.behind_count = len(due)

    async def _turn(self, duty: Duty, portal: Portal, due_since: float | None) -> float | None:
        """A turn of a duty in its place; raises what it raises."""
        member_id = portal.member_id
        is_absent = duty.asks and member_id in self._absences
        async with self._places[duty.name].taken(is_absent=is_absent):
            if due_since is not None:
                waited_s = time.monotonic() - due_since
                metrics.DUTY_WAIT_SECONDS.labels(duty.name).observe(waited_s)
            try:
                again_in_s = await duty.carry_out(portal)
            except Unavailable as error:
                if duty.asks and not isinstance(error, StoreUnavailable):
                    self._absences.failed(member_id, time.monotonic())
                raise
            except Bitrix24Error:
                self._absences.answered(member_id)
                raise
            else:
                if duty.asks:
                    self._absences.answered(member_id)
            finally:
                self._absences.left(member_id)
        return again_in_s

    async def _carry_out(self, duty: Duty, portal: Portal, *, due_since: float | None) -> bool:
        """Carry out a duty that is due since then, for a turn; to its end, if it is just done."""
        subject = f"{duty.name} {portal.member_id}"
        about = {"duty": duty.name, "member_id": portal.member_id}
        try:
            again_in_s = await self._turn(duty, portal, due_since)
            while due_since is None and again_in_s is not None:
                await asyncio.sleep(again_in_s)
                again_in_s = await self._turn(duty, portal, due_since)
        except EXPECTED as error:
            metrics.DUTY_FAILURES.labels(duty.name).inc()
            if self._episodes.begun(subject, [type(error).__name__]):
                log.warning(
                    "a duty failed for a portal", why=str(error), kind=type(error).__name__, **about
                )
            return False
        except Exception:
            metrics.DUTY_FAILURES.labels(duty.name).inc()
            log.exception("a duty failed for a portal", **about)
            return False
        finally:
            self._timetable.done(duty, portal.member_id)
        self._episodes.begun(subject, ())
        if again_in_s is not None:
            self.wake(duty.name, portal.member_id, in_s=again_in_s)
        return True
