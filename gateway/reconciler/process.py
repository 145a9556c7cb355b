"""Runs the process of `gateway reconcile`: leads if nobody else does, and then goes its rounds."""

import asyncio
import time
from typing import Any, Final

import structlog

from gateway.alerts.alert_watch import AlertWatch
from gateway.bitrix24.offline_signals import take
from gateway.ending import end
from gateway.errors import OperatorError
from gateway.heartbeats.heartbeat import beating
from gateway.heartbeats.process_report import ProcessReport, instance_id
from gateway.label_values import begin_reconcile_at_zero
from gateway.missed_events.drain_schedule import DrainSchedule
from gateway.reconciler.assembly import DRAIN, LeaderParts
from gateway.reconciler.leadership import Leadership
from gateway.reconciler.rounds import Rounds
from gateway.redis_access import connections
from gateway.redis_access.leases import Leases
from gateway.redis_access.redis_faults import failures_as
from gateway.settings import Settings
from gateway.vital_metrics import tell_build

__all__ = ["ReconcilerProcess", "lease_key"]

log: Any = structlog.get_logger(__name__)

_LISTEN_S: Final = 1.0
_LOOK_S: Final = 0.2
_STUCK_S: Final = 60.0
# A beat takes seconds even when Redis is away.


def lease_key(settings: Settings) -> str:
    """The key that is there for as long as a process leads."""
    return f"{settings.redis.prefix}:reconcile:lease"


class ReconcilerProcess:
    """Looks after the portals as one process; `run` or `once` is called once."""

    def __init__(self, settings: Settings) -> None:
        own = settings.reconcile
        self._settings = settings
        self._redis = connections.control(settings.redis.url)
        self._instance = instance_id()
        self._leases = Leases(self._redis, owner=self._instance, life_ms=round(own.lease_s * 1000))
        self._lease = lease_key(settings)
        self._leadership = Leadership(
            self._leases, self._lease, life_s=own.lease_s, grace_s=own.grace_s
        )

    async def run(self, stop: asyncio.Event, *, admin: str) -> None:
        """Go rounds until `stop` is set, and say so by heartbeats; `admin` is where its health is.

        Raises OperatorError for settings that cannot work.
        """

        async def report() -> ProcessReport:
            return ProcessReport.of_this_process(
                "reconcile",
                why_not=await self.why_not_ready(),
                admin=admin,
                layouts=len(self._settings.redis.streams.counts),
                leads=self._leadership.is_leading,
            )

        tell_build()
        begin_reconcile_at_zero()
        async with LeaderParts(self._settings, self._redis) as parts:

            async def lead(winding_down: asyncio.Event) -> None:
                alerts = AlertWatch(self._settings, self._redis)
                try:
                    async with parts.rounds() as rounds, asyncio.TaskGroup() as tasks:
                        listening = tasks.create_task(self._follow_signals(rounds))
                        watching = tasks.create_task(alerts.run())
                        await rounds.run(winding_down)
                        await end(listening, watching)
                finally:
                    await alerts.close()

            prefix = self._settings.redis.prefix
            async with beating(self._redis, report, prefix=prefix, instance=self._instance):
                await self._leadership.run(lead, stop)

    async def once(self) -> bool:
        """Go one round; whether everything went well for every portal.

        The lease of a process that died is waited for. Raises OperatorError if another process
        leads, or if Redis does not answer.
        """
        went_well = False
        async with LeaderParts(self._settings, self._redis) as parts:
            done = asyncio.Event()

            async def lead(_: asyncio.Event) -> None:
                nonlocal went_well
                async with parts.rounds() as rounds:
                    went_well = await rounds.once()
                done.set()

            await self._take_lease()
            await self._leadership.run(lead, done)
        return went_well

    async def _take_lease(self) -> None:
        until = time.monotonic() + self._settings.reconcile.lease_s + 1.0
        with failures_as(lambda error: OperatorError(f"Redis does not answer: {error}")):
            while not await self._leases.hold(self._lease):
                if time.monotonic() > until:
                    raise OperatorError("another process of `gateway reconcile` is at it")
                await asyncio.sleep(_LOOK_S)

    async def _follow_signals(self, rounds: Rounds) -> None:
        """Let queues be drained when their portals say that something is in them."""
        own, prefix = self._settings.reconcile, self._settings.redis.prefix
        # A second more, since a row's time is in whole seconds.
        waking = DrainSchedule(settle_s=own.settle_s + 1.0)
        while True:
            try:
                waking.signalled(await take(self._redis, prefix=prefix), time.monotonic())
            except connections.FAILURES as error:
                log.debug("signals are not heard", error=str(error))
            for member_id in waking.due(time.monotonic()):
                rounds.signalled(DRAIN, member_id)
            await asyncio.sleep(_LISTEN_S)

    async def why_not_ready(self) -> str | None:
        """None if the process leads or stands by, else why it can do neither."""
        return None if self._leadership.is_connected else "redis does not answer"

    async def why_not_alive(self) -> str | None:
        """None if the process makes progress, with Redis or without."""
        silent_s = time.monotonic() - self._leadership.beaten_at
        return None if silent_s < _STUCK_S else f"no beat for {silent_s:.0f} s"
