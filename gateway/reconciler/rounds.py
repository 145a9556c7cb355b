"""Carries out the duties: for many portals at once, so that none waits for another one.

A duty that fails for a portal is told when it begins to fail, and again only after it went well.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
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
EXPECTED: Final = (Bitrix24Error, StreamUnavailable, *connections.FAILURES)
"""What a duty may raise because of somebody else."""


class Rounds:
    """Goes the rounds of one leader over the portals of `portals`: `at_once` have a place at each
    duty.

    A portal that does not answer is asked rarely, by one duty at a time, and takes no place of
    those that do.
    """

    def __init__(self, duties: Sequence[Duty], portals: Iterable[Portal], *, at_once: int) -> None:
        self._duties = duties
        self._portals = portals
        self._timetable = Timetable(duties)
        self._places = {duty.name: TurnPlaces(at_once) for duty in duties}
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
                for duty, member_id in self._timetable.due(portals, now):
                    if duty.asks and (wait_s := self._absences.ask_in_s(member_id, now)):
                        self._timetable.put_off(duty, member_id, at=now + wait_s)
                        continue
                    self._under_way.begin(
                        self._carry_out(duty, portals[member_id], to_its_end=False)
                    )
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        await stop.wait()
            await self._under_way.finish()
        finally:
            await self._under_way.close()

    async def once(self) -> bool:
        """Carry out the duties once for each portal, in their order; whether all went well."""

        async def all_of(portal: Portal) -> bool:
            went = [await self._carry_out(duty, portal, to_its_end=True) for duty in self._duties]
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

    async def _turn(self, duty: Duty, portal: Portal) -> float | None:
        """A turn of a duty in its place; raises what it raises."""
        member_id = portal.member_id
        is_absent = duty.asks and member_id in self._absences
        async with self._places[duty.name].taken(is_absent=is_absent):
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

    async def _carry_out(self, duty: Duty, portal: Portal, *, to_its_end: bool) -> bool:
        subject = f"{duty.name} {portal.member_id}"
        about = {"duty": duty.name, "member_id": portal.member_id}
        try:
            again_in_s = await self._turn(duty, portal)
            while to_its_end and again_in_s is not None:
                await asyncio.sleep(again_in_s)
                again_in_s = await self._turn(duty, portal)
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
