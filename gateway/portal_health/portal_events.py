"""Asks portals what they have bound, and binds and unbinds single events on them.

All of them are bound when an application is installed, by gateway.portals.binding; this is for
operators who change which events are subscribed to, and do not wait for the next checkup.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar

from msgspec import Struct

from gateway.bitrix24.bindings import (
    Binding,
    BindingComparison,
    Bound,
    bind_missing,
    bindings_in,
    compare,
    digest_of_wanted,
    expected,
    unbind,
)
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import Bitrix24Error
from gateway.errors import OperatorError
from gateway.portals.directory import Portal
from gateway.portals.facts import PortalFacts
from gateway.settings import Settings

__all__ = ["BindingChange", "PortalEvents", "WhatIsBound"]

T = TypeVar("T")

_AT_ONCE: Final = 16
_NO_APPLICATION: Final = (
    "has no application of this gateway: its administrator ticks the event in the outbound webhook"
)

_Result: TypeAlias = Literal[
    "bound",
    "bound already",
    "not in its plan",
    "unbound",
    "not bound",
    "would be bound",
    "would be unbound",
    "failed",
]


class WhatIsBound(Struct, frozen=True, kw_only=True):
    """What a portal has bound: Bitrix24's names of events, in capitals.

    `delivered` and `queued` are those that go to this gateway, be they subscribed to or not.
    `comparison` is with what is. Of a portal that was not asked, or did not answer, `refusal` says
    why.
    """

    portal: Portal
    comparison: BindingComparison | None = None
    delivered: frozenset[str] = frozenset()
    queued: frozenset[str] = frozenset()
    refusal: str = ""


class BindingChange(Struct, frozen=True, kw_only=True):
    """What became of a binding in a portal; of the portal as a whole if `event` is empty.

    `is_offline` is whether it is about the queue; `why` is the reason of a failure.
    """

    portal: Portal
    result: _Result
    event: str = ""
    is_offline: bool = False
    why: str = ""

    @property
    def has_failed(self) -> bool:
        """Whether somebody has to mend something: a plan without a queue is none of it."""
        return self.result == "failed" or (self.result == "not in its plan" and not self.is_offline)


class PortalEvents:
    """Works on several portals at once, and tells of each. Changes of the same portal at the same
    time, by this or the checkup, do no harm: each says the same again.

    Raises OperatorError if the settings do not say where the portals are to deliver, and one of
    connections.FAILURES.
    """

    def __init__(self, settings: Settings, bitrix24: Bitrix24, facts: PortalFacts) -> None:
        self._handler = settings.handler_url
        if not self._handler:
            raise OperatorError("[bitrix24] public_url is empty: it says where portals deliver to")
        self._connector = settings.bitrix24.auth_connector
        self._wanted = expected(self._handler, settings.subscription, connector=self._connector)
        self._bitrix24 = bitrix24
        self._facts = facts

    async def bound(self, portals: Sequence[Portal]) -> list[WhatIsBound]:
        """What these have bound, in their order."""

        async def of(portal: Portal) -> WhatIsBound:
            try:
                rows = await self._rows(portal)
            except Bitrix24Error as error:
                return WhatIsBound(portal=portal, refusal=str(error))
            if rows is None:
                return WhatIsBound(portal=portal, refusal=_NO_APPLICATION)
            ours = [one for one in bindings_in(rows) if self._is_ours(one)]
            return WhatIsBound(
                portal=portal,
                comparison=compare(self._wanted, rows),
                delivered=frozenset(one.event for one in ours if not one.is_offline),
                queued=frozenset(one.event for one in ours if one.is_offline),
            )

        return await _of_each(portals, of)

    async def add(
        self, portals: Sequence[Portal], names: Collection[str], *, is_dry: bool
    ) -> list[BindingChange]:
        """Bind what of these events, by names in capitals, is not bound yet. May be repeated."""

        async def to(portal: Portal, rows: Any) -> list[BindingChange]:
            comparison = compare(self._wanted, rows)
            missing = [one for one in comparison.missing if one.event in names]
            changes = [
                _change(portal, one, "bound already")
                for one in comparison.present
                if one.event in names
            ]
            if is_dry:
                return changes + [_change(portal, one, "would be bound") for one in missing]
            new = await bind_missing(self._bitrix24.application(portal.member_id), missing)
            await self._note(portal, comparison, new)
            return [
                *changes,
                *(_change(portal, one, "bound") for one in new.bound),
                *(_change(portal, one, "not in its plan") for one in new.not_in_plan),
                *(_change(portal, one, "failed", why) for one, why in new.failed.items()),
            ]

        return await self._changes(portals, to)

    async def remove(
        self, portals: Sequence[Portal], names: Collection[str], *, is_dry: bool
    ) -> list[BindingChange]:
        """Unbind these events; without names, all that goes to this gateway's address and is not
        subscribed to. What is bound elsewhere stays. May be repeated.
        """

        async def to(portal: Portal, rows: Any) -> list[BindingChange]:
            absent: set[str] = set()
            if names:
                named = [one for one in bindings_in(rows) if one.event in names]
                extra = tuple(one for one in named if self._is_ours(one))
                absent = set(names) - {one.event for one in extra}
            else:
                extra = compare(self._wanted, rows).extra
            changes = [
                BindingChange(portal=portal, event=name, result="not bound")
                for name in sorted(absent)
            ]
            if is_dry:
                return changes + [_change(portal, one, "would be unbound") for one in extra]
            gone = await unbind(self._bitrix24.application(portal.member_id), extra)
            return [
                *changes,
                *(_change(portal, one, "unbound") for one in gone.unbound),
                *(_change(portal, one, "failed", why) for one, why in gone.failed.items()),
            ]

        return await self._changes(portals, to)

    async def _changes(
        self, portals: Sequence[Portal], to: Callable[[Portal, Any], Awaitable[list[BindingChange]]]
    ) -> list[BindingChange]:
        async def of(portal: Portal) -> list[BindingChange]:
            try:
                rows = await self._rows(portal)
                if rows is None:
                    return [BindingChange(portal=portal, result="failed", why=_NO_APPLICATION)]
                return await to(portal, rows)
            except Bitrix24Error as error:
                return [BindingChange(portal=portal, result="failed", why=str(error))]

        return [change for some in await _of_each(portals, of) for change in some]

    async def _rows(self, portal: Portal) -> Any:
        """What `event.get` says; None of a portal that has not installed the application."""
        store = self._bitrix24.tokens
        if store is None or await store.read(portal.member_id) is None:
            return None
        application = self._bitrix24.application(portal.member_id)
        return (await application.call("event.get", is_repeatable=True)).result or []

    async def _note(self, portal: Portal, comparison: BindingComparison, new: Bound) -> None:
        """Remember what is bound, for the checkup to know what a portal loses."""
        known = await self._facts.of(portal.member_id)
        bound = {str(one) for one in (*comparison.present, *new.bound)}
        unbound = known.unbound | {str(one): why for one, why in new.failed.items()}
        unbound = {name: why for name, why in unbound.items() if name not in bound}
        tried = {*new.bound, *new.not_in_plan, *new.failed}
        if tried.issuperset(comparison.missing):
            await self._facts.learn(
                portal.member_id,
                bound_at=datetime.now(UTC),
                wanted=digest_of_wanted(self._wanted),
                unbound=unbound,
            )
        elif unbound != known.unbound:
            await self._facts.learn(portal.member_id, unbound=unbound)

    def _is_ours(self, binding: Binding) -> bool:
        if binding.is_offline:
            return binding.connector == self._connector
        return binding.handler == self._handler


def _change(portal: Portal, binding: Binding, result: _Result, why: str = "") -> BindingChange:
    return BindingChange(
        portal=portal,
        event=binding.event,
        is_offline=binding.is_offline,
        result=result,
        why=why,
    )


async def _of_each(portals: Sequence[Portal], ask: Callable[[Portal], Awaitable[T]]) -> list[T]:
    places = asyncio.Semaphore(_AT_ONCE)

    async def one(portal: Portal) -> T:
        async with places:
            return await ask(portal)

    return await asyncio.gather(*map(one, portals))
