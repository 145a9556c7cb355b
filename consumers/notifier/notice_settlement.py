"""Writes down what became of notices, however long Redis is away and whoever works beside us."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog

from consumers.notifier.notices import Notice, sent
from consumers.notifier.outbox import Change, Outbox
from consumers.notifier.send_plan import Due, Parcel
from consumers.notifier.timing import Timing
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING

__all__ = ["NoticeSettlement"]

log = structlog.get_logger()

_AGAIN_S: Final = 1.0

Rest = Callable[[Notice], Notice | None]
"""What is left of a leased notice."""


class NoticeSettlement:
    """Makes changes of one outbox that have to be made, though other processes work on it too."""

    def __init__(self, outbox: Outbox, timing: Timing) -> None:
        self._outbox = outbox
        self._timing = timing

    async def settle(self, parcel: Parcel, rest: Rest, *, due_ms: int | None = None) -> None:
        """Put what is left of each notice in its place, however long Redis is away.

        A notice whose lease another process has taken over meanwhile is that one's.
        """
        await self._patiently(partial(self._settle, parcel, rest, due_ms))

    async def extend(self, parcel: Parcel, *, until_ms: int) -> None:
        """Let the lease of each notice run until then."""
        await self.settle(parcel, lambda notice: notice, due_ms=until_ms)

    async def pause(self, milliseconds: int) -> None:
        """Let every process leave the target alone for so long."""
        await self._patiently(partial(self._outbox.pause, milliseconds))

    async def give_up(self, due: Due) -> bool:
        """Take a notice away of which nobody is told; False if it no longer is what it was."""
        return await self._outbox.swap([self._change(due.key, due.notice, sent, None)])

    async def note(self, notices: Sequence[Due], outcome: str) -> None:
        """Note for operators what became of these, if Redis takes it: nobody decides by that."""
        try:
            await self._outbox.note({due.notice.event_id: outcome for due in notices})
        except AWAY_OR_REFUSING as error:
            log.warning("an outcome is not noted", target=self._outbox.name, error=str(error))

    async def _settle(self, parcel: Parcel, rest: Rest, due_ms: int | None) -> None:
        changes = [self._change(due.key, due.notice, rest, due_ms) for due in parcel.notices]
        if await self._outbox.swap(changes):
            return
        for due in parcel.notices:
            present = await self._outbox.notice(due.key)
            while present is not None and present.lease == due.notice.lease:
                if await self._outbox.swap([self._change(due.key, present, rest, due_ms)]):
                    break
                present = await self._outbox.notice(due.key)

    def _change(self, key: str, notice: Notice, rest: Rest, due_ms: int | None) -> Change:
        left = rest(notice)
        if left is not None and due_ms is None:
            due_ms = self._timing.due_ms(left.since_ms)
        return Change(key, notice, left, due_ms)

    async def _patiently(self, call: Callable[[], Awaitable[None]]) -> None:
        """Repeat a harmless command until Redis has carried it out; tell once that it does not."""
        is_told = False
        while True:
            try:
                await call()
            except AWAY_OR_REFUSING as error:
                if not is_told:
                    is_told = True
                    log.warning(
                        "an outcome waits for Redis", target=self._outbox.name, error=str(error)
                    )
                await asyncio.sleep(_AGAIN_S)
            else:
                return
