"""Looks again and again whether groups and the balance are well, and has told what has changed."""

import asyncio
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.alerts.alert_book import AlertBook
from gateway.alerts.alert_rules import RepeatedLooks, conditions
from gateway.balance.reading import read_balance
from gateway.contract import timestamps
from gateway.contract.alerts import AlertData
from gateway.ops.dead_letter_access import LetterFilter, dead_letters, newest_letters
from gateway.ops.entries_in_hand import entries_in_hand
from gateway.ops.group_standings import standings
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.publish_once import OncePublisher
from gateway.redis_access.redis_faults import FAILURES
from gateway.settings import Settings

__all__ = ["AlertWatch"]

log: Any = structlog.get_logger(__name__)

_LOOKED_AT: Final = 20
"""Entries in hand, the oldest of a group, among which one that has failed is looked for."""


class AlertWatch:
    """Does this for as long as it runs; to be closed. `client` is a control client."""

    def __init__(self, settings: Settings, client: Redis) -> None:
        self._settings = settings
        self._client = client
        self._publisher = OncePublisher(settings.redis, settings.publish)
        self._book = AlertBook(client, settings.redis, self._publisher)
        self._looks = RepeatedLooks()
        self._is_failing = False

    async def close(self) -> None:
        """Close the connections."""
        await self._publisher.close()

    async def run(self) -> None:
        """Look until cancelled; what Redis does not answer is seen the next time."""
        while True:
            try:
                await self.look()
                self._is_failing = False
            except (*FAILURES, StreamUnavailable) as error:
                if not self._is_failing:
                    log.warning("nobody can be alerted", why=str(error))
                self._is_failing = True
            await asyncio.sleep(self._settings.reconcile.alert_every_s)

    async def look(self) -> None:
        """Look once; raises one of connections.FAILURES, or StreamUnavailable."""
        streams, now = self._settings.redis.streams, timestamps.milliseconds_of(datetime.now(UTC))
        lasting = await self._book.lasting()
        found = conditions(
            await standings(self._client, streams),
            await read_balance(self._client, streams),
            behind_s=self._settings.reconcile.alert_behind_s,
            lasting=lasting,
            now=now,
        )
        begun, over = self._looks.changes(found, lasting)
        for name in begun:
            await self._book.begin(name, await self._with_event(found[name]))
        for name, one in lasting.items():
            if name in over:
                await self._book.end(name, one, at=now)
            elif not one.is_told:
                await self._book.begin(name, one.data)

    async def _with_event(self, data: AlertData) -> AlertData:
        """The same with an event that it is about."""
        streams = self._settings.redis.streams
        match data.alert, data.group:
            case "group_behind", str(group):
                held = await entries_in_hand(self._client, streams, group, limit=_LOOKED_AT)
                entries = sorted(held.entries, key=lambda one: one.failure is None)
                return (
                    replace(data, event_id=one.event_id, portal=one.domain or one.portal)
                    if (one := next(iter(entries), None))
                    else data
                )
            case "dead_letters", str(group):
                newest = await newest_letters(self._client, streams, group)
                async for some in dead_letters(
                    self._client, streams, group, newest, LetterFilter()
                ):
                    for letter in some:
                        portal = letter.domain or letter.member_id
                        return replace(data, event_id=letter.event_id, portal=portal)
        return data
