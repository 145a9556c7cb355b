"""Reserves rows of a portal's queue of offline events, and clears them when they are dealt with.

Only rows of events that are subscribed to are touched: others, which another system may have bound
for the same application, are left to it. A reservation has an id that only the portal's answer
tells, so one whose answer was lost is looked for among all reservations of this application.
Documentation and the portal's code differ on what is cleared; this asks only for what both
understand alike.
https://apidocs.bitrix24.com/api-reference/events/offline-events.html
"""

import time
from collections.abc import AsyncIterator, Collection
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from gateway.bitrix24.answers import Answer, members_of
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import (
    AccessDenied,
    Bitrix24Error,
    MaybeDone,
    NoRest,
    NotInPlan,
    Unauthorized,
)
from gateway.missed_events.queue_rows import OfflineRow, QueueRows, event_name_of

__all__ = ["PortalQueue", "Reservation", "has_no_queue"]

_ROWS: Final = 1000
# 250 KB of JSON; the default is 50, and no maximum is documented or in the portal's code.
_DEFAULT_ROWS: Final = 50
# Fewer than that are all that there were, whatever a portal makes of a larger limit.
_FEWER: Final = 10
# A thousand rows, a hundred, ten, one: three requests more tell which row a portal cannot send.
_MAX_PAGES: Final = 20
_ANY: Final = "!"
# Below every letter and digit that a reservation's id may begin with.


class Reservation(Struct, frozen=True, kw_only=True):
    """Rows that are ours until they are cleared, the oldest change first.

    `unreadable` are the message ids of rows that do not say what was changed, or when. `has_more`:
    there may have been more rows than were given.
    """

    process_id: str
    rows: tuple[OfflineRow, ...]
    unreadable: tuple[str, ...] = ()
    has_more: bool = False

    def __bool__(self) -> bool:
        return bool(self.rows or self.unreadable)


class PortalQueue:
    """Works on the queue of one portal; every method raises Bitrix24Error.

    All but `reserve` may be repeated. `clock_ahead_s` is how far the portal's clock is ahead of
    this machine's, as of the last answer.
    """

    def __init__(self, portal: PortalClient, rows: QueueRows, *, connector: str) -> None:
        self._portal = portal
        self._ours = rows
        self._connector = connector
        self.clock_ahead_s = 0.0
        self._rows = _ROWS

    async def reservations(self) -> list[str]:
        """The ids of all reservations of our rows, whoever made them and whatever became of him."""
        found: dict[str, None] = {}
        async for page in self._listed({">PROCESS_ID": _ANY}):
            for row in page:
                process_id = members_of(row).get("PROCESS_ID")
                if isinstance(process_id, str) and process_id and self._ours.message_id_of(row):
                    found[process_id] = None
        return list(found)

    async def waiting(self, *, until: float) -> list[str]:
        """The names of our events of which rows last changed at `until` or before are reserved by
        nobody, as far as the first page with any of ours tells; all names, if none of many does.
        """
        unreserved = {"<PROCESS_ID": _ANY, "<=TIMESTAMP_X": self._moment(until)}
        is_whole = False
        async for page in self._listed(unreserved):
            names = {event_name_of(row) for row in page if self._ours.message_id_of(row)}
            if names:
                return [name for name in self._ours.event_names if name in names]
            is_whole = len(page) < _DEFAULT_ROWS
        return [] if is_whole else list(self._ours.event_names)

    async def _listed(self, chosen: dict[str, Any]) -> AsyncIterator[list[Any]]:
        start: int | None = 0
        for _ in range(_MAX_PAGES):
            answer = await self._call(
                "event.offline.list",
                filter={**chosen, "=ERROR": 0},
                order={"ID": "ASC"},
                start=start,
            )
            yield list(members_of(answer.result).values())
            start = answer.next_start
            if start is None:
                break

    async def reserve(self, event_name: str, *, until: float) -> Reservation:
        """Reserve rows of an event, last changed at `until` (Unix seconds) or before; the oldest.

        What a call that failed has reserved, `reservations` finds; the next asks for fewer rows.
        """
        return await self._rows_of(
            "",
            is_repeatable=False,
            # Not a list of names: the portal's code takes no lists here, whatever is documented.
            filter={"=EVENT_NAME": event_name, "<=TIMESTAMP_X": self._moment(until)},
            order={"TIMESTAMP_X": "ASC", "ID": "ASC"},
        )

    def _moment(self, until: float) -> str:
        """By the portal's clock, as a filter has it."""
        return datetime.fromtimestamp(int(until + self.clock_ahead_s), UTC).isoformat()

    async def read(self, process_id: str) -> Reservation:
        """Rows of a reservation that are not cleared yet: fewer where the portal fails with more.

        So a row that the portal cannot send keeps only what comes after it.
        """
        while True:
            try:
                return await self._rows_of(process_id, process_id=process_id)
            except MaybeDone:
                if self._rows == 1:
                    raise

    async def clear(self, process_id: str, message_ids: Collection[str]) -> None:
        """Delete these rows of a reservation; those that are gone already are passed over."""
        if message_ids:
            await self._call(
                "event.offline.clear", process_id=process_id, message_id=list(message_ids)
            )

    async def set_aside(self, process_id: str, message_ids: Collection[str]) -> None:
        """Mark these rows as errors: they stay in the portal, and come no more."""
        if message_ids:
            await self._call(
                "event.offline.error", process_id=process_id, message_id=list(message_ids)
            )

    async def _rows_of(
        self, reserved: str, *, is_repeatable: bool = True, **parameters: Any
    ) -> Reservation:
        limit = self._rows
        self._rows = max(1, limit // _FEWER)  # unless there is an answer
        # Without clear=0, the portal would delete all of them.
        answer = await self._call(
            "event.offline.get", is_repeatable=is_repeatable, limit=limit, clear=0, **parameters
        )
        self._rows = min(_ROWS, limit * _FEWER)
        return self._reservation(answer, reserved, full=min(limit, _DEFAULT_ROWS))

    async def _call(self, method: str, *, is_repeatable: bool = True, **parameters: Any) -> Answer:
        if self._connector:
            parameters["auth_connector"] = self._connector
        answer = await self._portal.call(method, parameters, is_repeatable=is_repeatable)
        if answer.answered_at is not None:
            self.clock_ahead_s = answer.answered_at - time.time()
        return answer

    def _reservation(self, answer: Answer, process_id: str, *, full: int) -> Reservation:
        """What an answer gives; with `full` rows there may be more."""
        told = members_of(answer.result)
        trees = list(members_of(told.get("events")).values())
        process_id = process_id or str(told.get("process_id") or "")
        if trees and not process_id:
            raise MaybeDone("the portal gave rows without a reservation")
        rows = [row for tree in trees if (row := self._ours.row_of(tree)) is not None]
        unreadable = [
            message_id
            for tree in trees
            if self._ours.row_of(tree) is None
            and (message_id := self._ours.message_id_of(tree)) is not None
        ]
        rows.sort(key=lambda row: (row.changed_at, str(row.subject), row.type))
        return Reservation(
            process_id=process_id,
            rows=tuple(rows),
            unreadable=tuple(unreadable),
            has_more=len(trees) >= full,
        )


def has_no_queue(error: Bitrix24Error) -> bool:
    """Whether an error says that a portal's queue is not for us, now and for long.

    Its plan has none, or we have no right to it: reserving needs an application, installed by an
    administrator. A plan without REST says nothing of the queue, which is there when it is renewed.
    """
    if isinstance(error, NoRest):
        return False
    return isinstance(error, NotInPlan | AccessDenied) or (
        isinstance(error, Unauthorized) and error.code in {"wrong_auth_type", "insufficient_scope"}
    )
