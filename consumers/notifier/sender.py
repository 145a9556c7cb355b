"""A target's sender: takes what is due from its outbox, sends it, and writes down what came of it.

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
from consumers.notifier.notices import Notice, given_back, sent
from consumers.notifier.outbox import Change, Outbox
from consumers.notifier.rendering import TargetMessage
from consumers.notifier.routes import Channel
from consumers.notifier.send_plan import Due, Parcel, SendPlan, plan
from consumers.notifier.targets import SendOutcome
from gateway.background import Errands
from gateway.backoff import Backoff
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING

__all__ = ["TargetSender", "pause_s"]

log = structlog.get_logger()

_LOOK_S: Final = 2.0
"""How long a sender sleeps at most: another process may have put something into the outbox."""
_MAX_DIGEST: Final = 200
"""Notices in one message; what is more comes in the next one."""
_BACKOFF: Final = Backoff(first_s=1.0, limit_s=300.0, jitter=0.0)
_PLAINER: Final = (1000, 0)
"""How much of a comment's text is tried in plain words, where a target refuses the message."""
_MAX_REFUSALS: Final = 6
"""As many failures as lead to half a minute's pause."""
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
        self._awake = asyncio.Event()
        self._is_stopping = False
        self._under_way: set[Parcel] = set()
        self._sending = Errands("sending")
        self._failures = 0
        self._accepts = False
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
        if decided.held:
            await self.outbox.swap(
                [
                    Change(due.key, due.notice, _held(due.notice), decided.held_until_ms)
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
        at_once = 1 if self._failures else self._target.at_once
        room = at_once - len(self._under_way)
        return room if room * 2 >= at_once else 0

    async def _claim(self, decided: SendPlan, *, hour_ms: int, now_ms: int) -> bool:
        """Lease the notices of each parcel and begin to send it; whether to look again at once."""
        if not decided.parcels:
            return bool(decided.held or decided.given_up)
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
            await self._try(parcel)
        finally:
            self._under_way.remove(parcel)
            self.wake()

    async def _try(self, parcel: Parcel) -> None:
        outcome, refusal = await self._deliver(parcel)
        line = log.bind(
            target=self._target.name,
            event_id=parcel.notices[0].notice.event_id,
            notices=len(parcel.notices),
        )
        # Nothing stands between sending and settling: what ended the task here would have the same
        # message sent again when its lease ends. So lines are logged afterwards.
        if outcome.is_accepted:
            self._failures = 0
            self._accepts = True
            metrics.SENT.labels(self._target.name).inc()
            await self._settlement.settle(parcel, sent)
            if refusal is not None:
                line.warning("notification refused, sent in plain words", reason=refusal.reason)
            line.info("notification sent")
        elif outcome.is_about_message and self._accepts:
            # One message in a row: if the next one is refused too, it is the target that is wrong.
            self._accepts = False
            await self._settlement.settle(parcel, sent)
            metrics.GIVEN_UP.labels(self._target.name, "refused").inc(len(parcel.notices))
            line.error("notification given up", reason="refused", answer=outcome.reason)
        else:
            await self._failed(parcel, outcome, line)

    async def _deliver(self, parcel: Parcel) -> tuple[SendOutcome, SendOutcome | None]:
        """Send the message, or a plainer one if the target refuses it; what came of it.

        The second outcome is the first refusal of the message as it was meant, if it was refused.
        """
        outcome = await self._target.deliver(self._message(parcel), message_id=parcel.id)
        refusal = outcome if outcome.is_about_message else None
        notices = [due.notice for due in parcel.notices]
        for max_text in _PLAINER:
            if not outcome.is_about_message:
                break
            await self._settlement.extend(parcel, until_ms=self._clock() + self._lease_ms)
            words = self.channel.templates.words(notices, self._target.room, max_text=max_text)
            outcome = await self._target.deliver(words, message_id=parcel.id)
        return outcome, refusal

    async def _failed(
        self, parcel: Parcel, outcome: SendOutcome, line: structlog.typing.FilteringBoundLogger
    ) -> None:
        """Leave the target alone for a while, and let others of its notices try it first then."""
        self._failures += 1
        failures = self._failures
        if outcome.is_about_message:
            # It answers, and may accept the next one.
            failures = min(failures, _MAX_REFUSALS)
        else:
            self._accepts = False
        pause = pause_s(failures, outcome.retry_after_s)
        metrics.FAILED.labels(self._target.name).inc()
        pause_ms = round(pause * 1000)
        await self._settlement.pause(pause_ms)
        await self._settlement.settle(parcel, given_back, due_ms=self._clock() + pause_ms)
        line.warning(
            "notification failed",
            reason=outcome.reason,
            failures=self._failures,
            retry_in_s=pause,
        )

    def _message(self, parcel: Parcel) -> TargetMessage:
        notices = [due.notice for due in parcel.notices]
        try:
            return self.channel.templates.message(notices, self._target.room)
        except Exception as error:  # noqa: BLE001 - a template may raise anything
            log.error(
                "template failed, the default one is used",
                target=self._target.name,
                event_id=notices[0].event_id,
                error=str(error),
            )
            return self.channel.templates.plain_message(notices, self._target.room)

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

    async def _trim(self, excess: int) -> None:
        """Give up the oldest notices of a backlog that is too long; what is being sent stays."""
        for due in await self.outbox.oldest(excess):
            if not due.notice.lease:
                await self._give_up(due, "backlog full")


def pause_s(failures: int, asked_for_s: float | None) -> float:
    """How long to leave a target alone after so many failures in a row, if it asked for nothing."""
    return _BACKOFF.delay_s(failures) if asked_for_s is None else asked_for_s


def _held(notice: Notice) -> Notice:
    return given_back(replace(notice, is_held=True), has_failed=False) or notice
