"""Reports what receivers have accepted, and notes since when the balance does not close."""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from gateway.background import Background
from gateway.balance import metrics
from gateway.balance.door_report import DoorReport, decoded_reports, door_report
from gateway.balance.hours import hour_of
from gateway.balance.keys import doors_key, missing_since_key
from gateway.balance.ledger import ledger_totals
from gateway.balance.reading import read_balance
from gateway.balance.sheet import Balance
from gateway.contract import Streams
from gateway.errors import GatewayError
from gateway.redis_access import lua
from gateway.redis_access.connections import FAILURES

__all__ = ["Bookkeeper", "look_at_door"]

log: Any = structlog.get_logger(__name__)

_REPORT_S: Final = 5.0
_LOOK_EVERY: Final = 6
# Reports between two looks at the whole balance, which asks for every partition and group.
_TRIES: Final = 5
_TRY_S: Final = 0.02


async def look_at_door(
    directory: Path,
    in_spool: Callable[[], Awaitable[int]],
    *,
    former: DoorReport | None,
) -> DoorReport | None:
    """What receivers of this machine have accepted by now; None while the spool changes all the
    time, so that its ledgers and its file cannot be seen at one moment. Raises OSError, and what
    `in_spool` raises.
    """
    for _ in range(_TRIES):
        before = ledger_totals(directory)
        count = await in_spool()
        after = ledger_totals(directory)
        is_still = (before.spooled, before.drained) == (after.spooled, after.drained)
        if before.is_settled and after.is_settled and is_still:
            return door_report(
                after,
                count,
                host=socket.gethostname(),
                directory=str(directory),
                now_ms=round(time.time() * 1000),
                former=former,
            )
        await asyncio.sleep(_TRY_S)
    return None


class Bookkeeper:
    """Does this for one receiver process: the one that drains the spool reports of it.

    `client` is a control client, `in_spool` says how many events the spool holds, and `leads`
    whether this process is the one; `keep` is given the balance at the end of an hour, with the
    hour's name, and `looked` each one that is drawn up, every half minute. While Redis is away
    nothing is reported; the ledgers count on.
    """

    def __init__(
        self,
        client: Redis,
        streams: Streams,
        directory: Path,
        *,
        spool_id: str,
        in_spool: Callable[[], Awaitable[int]],
        leads: Callable[[], bool],
        keep: Callable[[str, Balance], Awaitable[None]],
        looked: Callable[[Balance], Awaitable[None]],
    ) -> None:
        self._keep = keep
        self._looked = looked
        self._hour = hour_of(datetime.now(UTC))
        self._client: Any = client
        self._streams = streams
        self._directory = directory
        self._spool_id = spool_id
        self._in_spool = in_spool
        self._leads = leads
        self._note = lua.script(client, "gateway.balance", "note_missing.lua")
        self._former: DoorReport | None = None
        self._is_open = False
        self._is_away = False
        # What is not reported now is reported later.
        self._keeping = Background(self._run, name="balance", begins_anew=True)

    def start(self) -> None:
        """Begin to report."""
        self._keeping.start()

    async def close(self) -> None:
        """Report no more."""
        await self._keeping.close()

    async def report_once(self) -> None:
        """Report now, whether or not this process leads; raises what a control client raises."""
        key = doors_key(self._streams.prefix)
        if self._former is None:
            raw = await self._client.hget(key, self._spool_id)
            known = decoded_reports({b"": raw} if raw else {})
            self._former = known.get("")
        report = await look_at_door(self._directory, self._in_spool, former=self._former)
        if report is None:
            return
        await self._client.hset(key, self._spool_id, msgspec.json.encode(report))
        self._former = report
        metrics.UNANSWERED_EVENTS.set(report.totals.unanswered)

    async def look_once(self) -> Balance:
        """Draw the whole balance up, show it, and note since when it is open."""
        balance = await read_balance(self._client, self._streams)
        places = [part for one in balance.missing for part in (one.where, one.count)]
        await self._note(keys=[missing_since_key(self._streams.prefix)], args=places)
        metrics.BALANCE_OPEN_EVENTS.set(balance.open)
        if balance.open and not self._is_open:
            log.error(
                "the balance does not close",
                events=balance.open,
                where=[one.where for one in balance.missing if one.open],
                what_to_do="see `gateway balance`",
            )
        elif self._is_open and not balance.open:
            log.info("the balance closes again")
        self._is_open = bool(balance.open)
        return balance

    async def _keep_hour(self, balance: Balance) -> None:
        """Have the balance kept with which an hour ended, if one has since the last look."""
        now = hour_of(datetime.now(UTC))
        if now != self._hour:
            await self._keep(self._hour, balance)
            self._hour = now

    async def _run(self) -> None:
        number = 0
        while True:
            try:
                if self._leads():
                    await self.report_once()
                    if number % _LOOK_EVERY == 0:
                        balance = await self.look_once()
                        await self._keep_hour(balance)
                        await self._looked(balance)
                    number += 1
                self._is_away = False
            except (*FAILURES, GatewayError) as error:
                if not self._is_away:
                    log.debug("the balance is not reported", error=str(error))
                self._is_away = True
            await asyncio.sleep(_REPORT_S)
