"""Knows what an operator wants of this group's processes: what is paused, and what is struck.

Read with the beats of the leases, pauses at each second one and strikes at each fourth, so that a
pause is followed within some two seconds and a strike within four. What is known stays so while
Redis is away; before anything is known, no partition is taken, so that no process handles what was
paused while none was there.

A pause ends by itself by the clock of this machine. Whoever notices removes it, if it still is the
one that he knew: a pause that an operator has prolonged meanwhile stays.
"""

from datetime import UTC, datetime
from typing import Any, Final

import structlog
from redis.asyncio import Redis

from consumers.runtime.entry import Event
from gateway.contract import Pause, Streams, Strike, pauses_of, strikes_of
from gateway.redis_access import lua

__all__ = ["StandingInterventions"]

log = structlog.get_logger()

_BEAT_OF_PAUSES: Final = 0
_BEAT_OF_STRIKES: Final = 1


class StandingInterventions:
    """What is wanted of one group, as `look` has found it last; `client` is for short commands."""

    def __init__(self, client: Redis, streams: Streams, group: str) -> None:
        self._client = client
        self._forget: Any = lua.script(client, "consumers.runtime", "lua/forget.lua")
        self._group = group
        self._pauses_key = streams.pauses(group)
        self._strikes_key = streams.strikes(group)
        self._all: dict[bytes, Pause] = {}
        self._strikes: dict[bytes, Strike] = {}
        self._beats = 0
        self._told_unread: dict[str, int] = {}
        self.is_known = False
        self.whole: Pause | None = None
        self.partial: tuple[Pause, ...] = ()
        self.strikes: tuple[Strike, ...] = ()

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """All pauses, that of the whole group first."""
        return (self.whole, *self.partial) if self.whole is not None else self.partial

    def pause_of(self, event: Event) -> Pause | None:
        """The pause of a part of the group that lets an event wait; the widest of several."""
        found = [pause for pause in self.partial if pause.selection.has(event)]
        return min(found, key=lambda pause: pause.selection.type is not None, default=None)

    def strike_of(self, event: Event) -> Strike | None:
        """The strike that an event is to become a dead letter by."""
        return next((strike for strike in self.strikes if strike.selection.has(event)), None)

    async def look(self) -> bool:
        """Ask for what is wanted now; whether that is something else than before.

        Raises what the client raises; then what was known is.
        """
        before = self.whole, self.partial, self.strikes
        if not self.is_known or self._beats % 4 == _BEAT_OF_STRIKES:
            fields: Any = await self._client.hgetall(self._strikes_key)
            self._take_strikes(fields)
        if not self.is_known or self._beats % 2 == _BEAT_OF_PAUSES:
            fields = await self._client.hgetall(self._pauses_key)
            await self._take_pauses(fields)
        self._beats += 1
        self.is_known = True
        return before != (self.whole, self.partial, self.strikes)

    async def _take_pauses(self, fields: dict[bytes, bytes]) -> None:
        found = pauses_of(fields)
        self._tell_unread("pauses", len(fields) - len(found))
        now = datetime.now(UTC)
        lasting = {field: pause for field, pause in found.items() if not pause.is_over(now)}
        for field, pause in lasting.items():
            if pause != self._all.get(field):
                log.warning("paused", group=self._group, what=str(pause))
        for field, pause in self._all.items():
            if field not in lasting:
                log.info("not paused any more", group=self._group, what=str(pause))
        self._all = lasting
        self.whole = next((pause for pause in lasting.values() if pause.is_whole), None)
        self.partial = tuple(pause for pause in lasting.values() if not pause.is_whole)
        for field in found.keys() - lasting.keys():
            await self._forget(keys=[self._pauses_key], args=[field, fields[field]])

    def _take_strikes(self, fields: dict[bytes, bytes]) -> None:
        found = strikes_of(fields)
        self._tell_unread("strikes", len(fields) - len(found))
        for field, strike in found.items():
            if strike != self._strikes.get(field):
                log.warning("events are struck", group=self._group, what=str(strike))
        for field, strike in self._strikes.items():
            if field not in found:
                log.info("events are not struck any more", group=self._group, what=str(strike))
        self._strikes = found
        self.strikes = tuple(found.values())

    def _tell_unread(self, what: str, count: int) -> None:
        if count and count != self._told_unread.get(what, 0):
            log.error("this version cannot read and does not follow", what=what, count=count)
        self._told_unread[what] = count
