"""Lets an operator's pauses and strikes act on entries, before a handler is called with them.

An entry that a pause lets wait is parked, and all that follows it of its subject with it. An entry
that is struck becomes a dead letter, also where a pause would let it wait: order is what a dead
letter costs anyway.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from typing import Literal

from msgspec import Struct

from consumers.runtime.entry import Event, HeldEntry
from consumers.runtime.in_flight import InFlight
from consumers.runtime.standing_interventions import StandingInterventions

__all__ = ["Intervening", "Passed"]


class Passed(Struct, frozen=True):
    """What a handler may be given of some entries, and the lanes of which something was parked."""

    held: Sequence[HeldEntry]
    parked_lanes: frozenset[str] = frozenset()


class Intervening:
    """Acts on the entries of one partition; `strike` makes a dead letter of an entry."""

    def __init__(
        self,
        wishes: StandingInterventions,
        in_flight: InFlight,
        strike: Callable[[HeldEntry, str], Awaitable[None]],
    ) -> None:
        self._wishes = wishes
        self._in_flight = in_flight
        self._strike = strike

    @property
    def is_on(self) -> bool:
        """Whether anything is paused in part, or struck."""
        return bool(self._wishes.partial or self._wishes.strikes)

    @property
    def may_park(self) -> bool:
        """Whether an entry that comes now may have to wait."""
        return bool(self._wishes.partial) or not self._in_flight.parking.is_empty

    def parks(self, held: HeldEntry) -> bool:
        """Park an entry that comes now, if it has to wait; whether it has."""
        in_flight, event = self._in_flight, held.entry.event
        pause = self._wishes.pause_of(event)
        if pause is None and not in_flight.parking.is_before(event):
            return False
        if self._wishes.strike_of(event) is not None:
            return False
        with_portal = pause is not None and pause.selection.type is None
        in_flight.parking.uncount(held.source, held.id, held.entry.deliveries)
        in_flight.parking.park(held.source, held.id, event, with_portal=with_portal)
        return True

    def waits_with(self, event: Event) -> Literal["portal", "subject"] | None:
        """What a parked entry has to wait with, by what is found until now; None: it need not."""
        if self._wishes.strike_of(event) is not None:
            return None
        pause = self._wishes.pause_of(event)
        if pause is not None:
            return "subject" if pause.selection.type is not None else "portal"
        return "subject" if self._in_flight.parking.must_wait(event) else None

    def parted(self, some: Iterable[HeldEntry], lanes: Collection[str] = ()) -> list[HeldEntry]:
        """Park what has to wait of entries in hand, given in their order; the others.

        `lanes` wait in any case.
        """
        waiting = set(lanes)
        left = []
        for held in some:
            event = held.entry.event
            pause = self._wishes.pause_of(event)
            if (pause is None and held.lane not in waiting) or self._wishes.strike_of(event):
                left.append(held)
                continue
            waiting.add(held.lane)
            is_portal = pause is not None and pause.selection.type is None
            self._in_flight.park(held, with_portal=is_portal)
        return left

    def strikes(self, some: Iterable[HeldEntry]) -> bool:
        """Whether any of these is struck."""
        return bool(self._wishes.strikes) and any(
            self._wishes.strike_of(held.entry.event) is not None for held in some
        )

    async def passed(
        self, some: Sequence[HeldEntry], lanes: Collection[str] = frozenset()
    ) -> Passed:
        """Strike and park what is not to be handled of entries in hand, given in their order.

        `lanes` wait in any case. Raises what `strike` raises.
        """
        left = self.parted(some, lanes)
        parked_lanes: frozenset[str] = frozenset()
        if len(left) < len(some):
            kept = {id(held) for held in left}
            parked_lanes = frozenset(held.lane for held in some if id(held) not in kept)
        passed = []
        for held in left:
            strike = self._wishes.strike_of(held.entry.event)
            if strike is None:
                passed.append(held)
            else:
                await self._strike(held, str(strike))
        return Passed(passed, parked_lanes)
