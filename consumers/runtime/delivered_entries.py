"""Takes what was delivered to the group and is in nobody's hands: left over, aside, or parked.

What is parked is looked through in its order: what need not wait any more is taken in hand. A page
at a time, between the reads of what is new, so that neither keeps the other waiting. The entries
are looked at first and claimed only if they are taken: no delivery is counted of one that stays
parked, whichever process looks.
"""

from typing import Final

from redis.asyncio import Redis

from consumers.runtime.delivery_counts import give_back
from consumers.runtime.entry import Event, Source
from consumers.runtime.intake import Intake
from consumers.runtime.intervening import Intervening
from consumers.runtime.pending_entries import (
    LOOK_ASIDE_S,
    Fields,
    bring_back,
    claim,
    resume,
    take_suspects,
)
from consumers.runtime.tenure import Tenure
from gateway.contract import EVENT_FIELD, InvalidEvent, decode_event

__all__ = ["DeliveredEntries"]

_PAGE: Final = 500


class DeliveredEntries:
    """Takes delivered entries of one partition, as a part of its reader, with no read under way."""

    def __init__(
        self, tenure: Tenure, intake: Intake, intervening: Intervening, *, buries_crashed: bool
    ) -> None:
        self._tenure = tenure
        self._in_flight = tenure.in_flight
        self._parking = tenure.in_flight.parking
        self._sources = (tenure.keys.shared, tenure.keys.redeliveries)
        self._intake = intake
        self._intervening = intervening
        self._buries_crashed = buries_crashed

    async def resume(self, client: Redis, *, unsettled_count: int) -> None:
        """Take what is pending and not in hand, or park it: what waits, and what finds no room.

        `unsettled_count` is about how many entries are pending.
        """
        in_flight, keys = self._in_flight, self._tenure.keys
        for source in self._sources:
            await take_suspects(
                client,
                source,
                keys.group,
                in_flight,
                self._intake,
                waits=self._waits,
                buries_crashed=self._buries_crashed,
            )
        is_much = unsettled_count - in_flight.delivered_count > in_flight.room()
        if is_much or self._tenure.wishes.partial or not self._parking.is_empty:
            await self._look_through(client)
        else:
            for source in self._sources:
                await resume(client, source, keys.group, in_flight, self._intake)
        in_flight.sort()

    async def bring_back(self, client: Redis, *, block_s: float) -> float | None:
        """Take some of what is parked or aside, if it is time; for how long a read may block then.

        None: not at all.
        """
        await self.uncount()
        if self._parking.is_looked_through:
            await self._look_on(client)
            return None
        if self._in_flight.aside_count:
            await bring_back(client, self._tenure.keys.group, self._in_flight, self._intake)
            return min(block_s, LOOK_ASIDE_S)
        return block_s

    async def uncount(self) -> None:
        """Let the server count no delivery of what was parked."""
        for source in self._sources:
            await give_back(self._tenure, source, self._parking.uncounted(source))

    async def _look_through(self, client: Redis) -> None:
        """Look through all that is pending, before the first read; what finds no room is parked.

        So it is noted what must not be overtaken by whatever comes then. Stops when no handler may
        be called any more.
        """
        gate = self._tenure.gate
        self._parking.begin(self._sources)
        for source in self._sources:
            while self._parking.after(source) is not None:
                if gate.is_closed or gate.is_on_hold:
                    return
                await self._look_at_page(client, source, is_all=True)
        self._parking.end()

    async def _look_on(self, client: Redis) -> None:
        """Look at one page more of each source that is being looked through."""
        for source in self._sources:
            if self._parking.after(source) is not None:
                await self._look_at_page(client, source, is_all=False)
        self._parking.end()
        if not self._parking.is_looked_through:
            self._in_flight.sort()

    async def _look_at_page(self, client: Redis, source: Source, *, is_all: bool) -> None:
        """Look at a page; with `is_all` also at what there is no room for."""
        in_flight, parking, group = self._in_flight, self._parking, self._tenure.keys.group
        upto = parking.after(source)
        assert upto is not None  # noqa: S101 - or the source is through
        in_flight.settled_meanwhile = settled = set[bytes]()
        try:
            rows = await self._tenure.scripts.look(source.key, group=group, after=upto, most=_PAGE)
        finally:
            in_flight.settled_meanwhile = None
        # Half of it: the rest is for what is new.
        room = max(1, in_flight.room() // 2)
        is_end = len(rows) < _PAGE
        taken: dict[bytes, tuple[Fields, int]] = {}
        for entry_id, deliveries, fields in rows:
            if not in_flight.has(source, entry_id) and entry_id not in settled:
                event = _event_of(fields)
                waits_with = event and self._intervening.waits_with(event)
                if event is not None and waits_with:
                    is_portal = waits_with == "portal"
                    parking.keep(source, entry_id, event, with_portal=is_portal)
                elif event is None or len(taken) < room:
                    taken[entry_id] = fields, deliveries + 1
                elif is_all:
                    parking.postpone(source, entry_id, event)
                else:
                    is_end = False
                    break
            upto = entry_id
        if taken:
            await self._take(client, source, taken)
        parking.looked(source, upto, is_end=is_end)

    async def _take(
        self, client: Redis, source: Source, taken: dict[bytes, tuple[Fields, int]]
    ) -> None:
        found = await claim(client, source, self._tenure.keys.group, list(taken))
        await self._intake.take(
            source,
            [
                (entry_id, found.get(entry_id, {}))
                for entry_id, (fields, _) in taken.items()
                # What has gone in between was erased; what had no payload before has lost it.
                if entry_id in found or not fields
            ],
            {entry_id: deliveries for entry_id, (_, deliveries) in taken.items()},
            may_wait=False,
        )

    def _waits(self, fields: Fields) -> bool:
        event = _event_of(fields)
        return event is not None and self._intervening.waits_with(event) is not None


def _event_of(fields: Fields) -> Event | None:
    """The event of an entry; None for what is none, or is lost."""
    try:
        return decode_event(fields.get(EVENT_FIELD, b""))
    except InvalidEvent:
        return None
