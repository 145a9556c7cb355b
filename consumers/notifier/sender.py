"""Takes what is due from the outbox of a target, as much as may be under way, and sends it.

One for each target, so that a dead target holds up nothing else. All decisions are made in
send_plan.py and notices.py; several processes may run senders of the same target.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final
from uuid import uuid4

import structlog
from msgspec.structs import replace

from consumers.notifier import metrics
from consumers.notifier.notice_settlement import NoticeSettlement
from consumers.notifier.notices import held, overtaken
from consumers.notifier.outbox import Change, Outbox
from consumers.notifier.parcel_delivery import ParcelDelivery
from consumers.notifier.routes import Channel
from consumers.notifier.send_plan import Due, Parcel, SendPlan, plan
from gateway.background import Errands
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING

__all__ = ["TargetSender"]

log = structlog.get_logger()

_LOOK_S: Final = 2.0
"""How long a sender sleeps at most: another process may have put something into the outbox."""
_MAX_DIGEST: Final = 200
"""Notices in one message; what is more comes in the next one."""
_LEASE_MARGIN_MS: Final = 5_000
"""For the lease to outlast the deadline of a sending by the time it takes to write it down."""


class TargetSender:
    """Sends what is due of one outbox until it is told to stop.

    `clock` gives the time in milliseconds since 1970.
    """

    def __init__(self, channel: Channel, outbox: Outbox, *, clock: Callable[[], int]) -> None:
        self.channel = channel
        self.outbox = outbox
        self._clock = clock
        self._target = channel.target
        self._settlement = NoticeSettlement(outbox, channel.policy.timing)
        self._lease_ms = round(channel.target.deadline_s * 1000) + _LEASE_MARGIN_MS
        self._delivery = ParcelDelivery(
            channel, self._settlement, lease_ms=self._lease_ms, clock=clock
        )
        self._awake = asyncio.Event()
        self._is_stopping = False
        self._under_way: set[Parcel] = set()
        self._sending = Errands("sending")
        # Only messages about several notices need all that is due; others need what there is room
        # for, and a few in case some are given up.
        gathers = channel.policy.timing.digest_minutes or channel.policy.is_holding
        self._limit = _MAX_DIGEST if gathers else 2 * channel.target.at_once

    def wake(self) -> None:
        """Look again at once: something new is due, or may be soon."""
        self._awake.set()

    def stop(self) -> None:
        """Begin nothing more; `run` returns when what is under way has ended."""
        self._is_stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Send until stopped. Redis being away or refusing is waited out."""
        while not self._is_stopping:
            self._awake.clear()
            try:
                rest_s = await self.round()
            except AWAY_OR_REFUSING as error:
                log.warning("outbox is away", target=self._target.name, error=str(error))
                rest_s = _LOOK_S
            if rest_s > 0:
                await self._rest(rest_s)
        await self.finish()

    async def finish(self) -> None:
        """Wait for what is under way."""
        await self._sending.finish()
        self._target.close()

    async def abandon(self) -> int:
        """End what is under way where it stands; how many messages that is.

        They are leased still, and another process goes on with them when their leases end.
        """
        count = len(self._under_way)
        await self._sending.close()
        return count

    async def _rest(self, rest_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(rest_s):
                await self._awake.wait()

    async def round(self) -> float:
        """Send what is due as far as there is room; the seconds until there may be more to do."""
        now_ms = self._clock()
        hour_ms, _ = self.channel.policy.timing.hour_ms(now_ms)
        look = await self.outbox.look(
            now_ms=now_ms,
            farthest_ms=self.channel.policy.farthest_ms(now_ms),
            hour_ms=hour_ms,
            limit=self._limit,
        )
        metrics.BACKLOG.labels(self._target.name).set(look.waiting)
        metrics.IS_PAUSED.labels(self._target.name).set(look.paused_ms > 0)
        if look.waiting > self.channel.max_backlog:
            await self._trim(look.waiting - self.channel.max_backlog)
        room = self._room()
        if look.paused_ms or not room:
            # The end of a sending wakes this loop.
            return min(_LOOK_S, look.paused_ms / 1000 or _LOOK_S)
        # What this process is sending is never cut off, however late the answer is written down.
        busy = {due.key for parcel in self._under_way for due in parcel.notices}
        decided = plan(
            [due for due in look.due if due.key not in busy],
            self.channel.policy,
            now_ms=now_ms,
            sent_this_hour=look.sent_this_hour,
            max_parcels=room,
        )
        for given_up in decided.given_up:
            await self._give_up(given_up.due, given_up.reason)
        for due in decided.withdrawn:
            await self.outbox.swap([Change(due.key, due.notice, overtaken(due.notice), now_ms)])
        if decided.held:
            await self.outbox.swap(
                [
                    Change(due.key, due.notice, held(due.notice), decided.held_until_ms)
                    for due in decided.held
                ]
            )
        if await self._claim(decided, hour_ms=hour_ms, now_ms=now_ms):
            return 0
        if look.next_due_ms is None:
            return _LOOK_S
        return min(_LOOK_S, max(0.001, (look.next_due_ms - self._clock()) / 1000))

    def _room(self) -> int:
        """How many messages may be begun: while a target fails, one at a time tries it.

        None until half of the places are free, so that a busy sender asks Redis for several at
        once.
        """
        at_once = 1 if self._delivery.is_failing else self._target.at_once
        room = at_once - len(self._under_way)
        return room if room * 2 >= at_once else 0

    async def _claim(self, decided: SendPlan, *, hour_ms: int, now_ms: int) -> bool:
        """Lease the notices of each parcel and begin to send it; whether to look again at once."""
        if not decided.parcels:
            return bool(decided.held or decided.given_up or decided.withdrawn)
        leases = {parcel: uuid4().hex for parcel in decided.parcels}
        leased = [
            Parcel(tuple(Due(d.key, replace(d.notice, lease=leases[p])) for d in p.notices))
            for p in decided.parcels
        ]
        until_ms = now_ms + self._lease_ms
        changes = [
            Change(old.key, old.notice, new.notice, until_ms)
            for before, after in zip(decided.parcels, leased, strict=True)
            for old, new in zip(before.notices, after.notices, strict=True)
        ]
        if await self.outbox.claim(
            changes,
            messages=len(leased),
            hour_ms=hour_ms,
            max_per_hour=self.channel.policy.max_per_hour,
        ):
            for parcel in leased:
                self._under_way.add(parcel)
                self._sending.begin(self._send(parcel), target=self._target.name)
        return True

    async def _send(self, parcel: Parcel) -> None:
        try:
            await self._delivery.deliver(parcel)
        finally:
            self._under_way.remove(parcel)
            self.wake()

    async def _give_up(self, due: Due, reason: str) -> None:
        """Tell nobody of a notice, and say so, if it still is what it was."""
        if await self._settlement.give_up(due):
            metrics.GIVEN_UP.labels(self._target.name, reason).inc()
            log.error(
                "notification given up",
                target=self._target.name,
                event_id=due.notice.event_id,
                reason=reason,
            )
            await self._settlement.note([due], f"given-up {self._clock()} {reason}")

    async def _trim(self, excess: int) -> None:
        """Give up the oldest notices of a backlog that is too long; what is being sent stays."""
        for due in await self.outbox.oldest(excess):
            if not due.notice.lease:
                await self._give_up(due, "backlog full")
