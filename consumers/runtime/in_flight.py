"""Holds the entries in hand: what was delivered to this process and is not acknowledged yet."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from sys import intern
from typing import Final

from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import HeldEntry, Source
from consumers.runtime.hand_room import Fill, Hand, room_of, room_together
from consumers.runtime.handled_memory import HandledMemory
from consumers.runtime.parking import Parking
from consumers.runtime.shares import Aside, Key, Shares
from gateway.contract import EntryId

__all__ = ["InFlight", "in_flight_of"]

_MAX_GATHERED: Final = 20_000
"""Entries that a transforming consumer has in hand: one that waits for a slow portal must not keep
others from being read. About 40 MB when all of them are waiting."""
_MAX_AHEAD: Final = 5000
"""Entries that are read while a batch is handled: enough for the next one to follow at once."""
_MAX_BYTES: Final = 64 << 20
"""JSON in hand, except for handlers of batches, which say themselves how much they want."""


class InFlight:
    """Keeps entries by source and id, and the last ones that were acknowledged.

    A server that lost its memory of deliveries (a failover, a deleted group) delivers again what
    is in hand, and what was acknowledged a moment ago. Both are recognised; the latter only if the
    hand `remembers`: not where the same server keeps what a handler does, and has lost that too.

    With `shares`, no key fills all of it: what is set aside counts as delivered to this process,
    and takes no room. Nor does what is parked, of which `parking` notes whose it is. With `hands`,
    all that it names have `max_entries` and `max_bytes` in common. While `settled_meanwhile` is a
    set, it gets the ids of all that is settled.
    """

    def __init__(
        self,
        max_entries: int,
        *,
        max_bytes: int,
        remembers: bool = True,
        shares: Shares | None = None,
        hands: Callable[[], Collection[Hand]] | None = None,
    ) -> None:
        self._hands = hands
        self._most = Fill(max_entries, max_bytes)
        self._memory = HandledMemory() if remembers else None
        self._size_bytes = 0
        self._shares = shares
        self.aside_count = 0
        self.parking = Parking()
        self.settled_meanwhile: set[bytes] | None = None
        self.changed = asyncio.Event()
        self._held: dict[Source, dict[bytes, HeldEntry | Aside | None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def count(self, source: Source) -> int:
        """How many entries of a source are in hand, aside or parked."""
        return len(self._held.get(source, ())) + self.parking.count(source)

    def room(self) -> int:
        """How many more entries may be taken; 0 for few."""
        if self._hands is None:
            return room_of(self.fill, self._most)
        return room_together(self.fill, self._most, self._hands())

    @property
    def fill(self) -> Fill:
        """What is in hand, and not aside."""
        return Fill(len(self) - self.aside_count, self._size_bytes)

    @property
    def delivered_count(self) -> int:
        """How many entries are in hand, aside or parked: all that this process knows pending."""
        return sum(map(self.count, {*self._held, *self.parking.sources}))

    def has(self, source: Source, entry_id: bytes) -> bool:
        """Whether an entry is in hand or aside."""
        return entry_id in self._held.get(source, ())

    def was_handled(self, source: Source, entry_id: bytes, raw: bytes | None) -> bool:
        """Whether this very event was acknowledged at this place a moment ago."""
        memory = self._memory
        return memory is not None and raw is not None and memory.has(source, entry_id, raw)

    def offer(self, source: Source, some: Sequence[HeldEntry]) -> Sequence[HeldEntry]:
        """Take entries of a source, each if it is within its share; those that are in hand.

        The others are set aside.
        """
        if self._shares is not None:
            return [held for held in some if self._offer(self._shares, held)]
        entries, size_bytes = self._of(source), 0
        for held in some:
            entries[held.id] = held
            size_bytes += len(held.entry.raw)
        self._size_bytes += size_bytes
        return some

    def _offer(self, shares: Shares, held: HeldEntry) -> bool:
        if shares.admits(held, count=len(self) - self.aside_count, size_bytes=self._size_bytes):
            self.add(held.source, held.id, held)
            return True
        shares.set_aside(held)
        portal = intern(held.entry.event.source)
        self._of(held.source)[held.id] = Aside(held.entry.deliveries, portal)
        self.aside_count += 1
        return False

    def wanted(self, most: int) -> Iterator[tuple[Key, list[tuple[Source, bytes, int]]]]:
        """What of each key is to come back from aside, with its deliveries; `most` in all."""
        if self._shares is None:
            return
        count = len(self) - self.aside_count
        for key, some in self._shares.wanted(
            most=min(most, self._most.entries - count), count=count, size_bytes=self._size_bytes
        ):
            yield key, [(source, one, self._deliveries(source, one)) for source, one in some]

    def came_back(self, key: Key, count: int) -> None:
        """The first entries of a key that are aside will be added now."""
        assert self._shares is not None  # noqa: S101 - or none were aside
        self._shares.came_back(key, count)

    def add(self, source: Source, entry_id: bytes, held: HeldEntry | None) -> None:
        """Take an entry; without `held` it is one that nobody handles, on its way out."""
        entries = self._of(source)
        if self.aside_count and isinstance(entries.get(entry_id), Aside):
            self.aside_count -= 1
        entries[entry_id] = held
        if held is not None:
            self._size_bytes += len(held.entry.raw)
            if self._shares is not None:
                self._shares.took(held)

    def sort(self) -> None:
        """Restore the order by id, after entries were taken out of turn."""
        self._held = {
            source: dict(sorted(entries.items(), key=lambda item: EntryId.of(item[0])))
            for source, entries in self._held.items()
        }

    def oldest(self, source: Source) -> str | None:
        """No id in hand, aside or parked is lower; None if there is none."""
        entries = self._held.get(source)
        held = next(iter(entries)) if entries else None
        ids = [one for one in (held, self.parking.first(source)) if one is not None]
        return min(ids, key=EntryId.of).decode() if ids else None

    def park(self, held: HeldEntry, *, with_portal: bool) -> None:
        """Park an entry that is in hand, and that nobody handles at the moment."""
        del self._held[held.source][held.id]
        self._size_bytes -= len(held.entry.raw)
        if self._shares is not None:
            self._shares.settled(held)
        event = held.entry.event
        subject = None if with_portal else event.subject
        self.parking.uncount(held.source, held.id, held.entry.deliveries)
        self.parking.park_again(held.source, held.id, event.source, subject)
        self.changed.set()

    def look_through_parked(self) -> None:
        """Begin to look through all that is parked, and all that is aside: it is parked first."""
        if self.aside_count:
            for source, entries in self._held.items():
                for entry_id, one in list(entries.items()):
                    if isinstance(one, Aside):
                        del entries[entry_id]
                        self.parking.uncount(source, entry_id, one.deliveries)
                        self.parking.park_again(source, entry_id, one.portal, None)
            self.aside_count = 0
        if self._shares is not None:
            self._shares.forget_aside()
        if not self.parking.is_empty:
            self.parking.begin()

    def left(self, source: Source) -> dict[int, list[bytes]]:
        """The ids of what nobody has handled yet, by the count of deliveries before this one."""
        left: dict[int, list[bytes]] = {}
        for entry_id, held in self._held.get(source, {}).items():
            if held is not None:
                deliveries = self._deliveries(source, entry_id)
                left.setdefault(deliveries - 1, []).append(entry_id)
        return left

    def settle(self, source: Source, ids: Sequence[bytes]) -> None:
        """Let go of entries that the server knows to be done."""
        if not ids:
            return
        if self.settled_meanwhile is not None:
            self.settled_meanwhile.update(ids)
        entries = self._held.get(source, {})
        shares, memory, size_bytes = self._shares, self._memory, 0
        recent = memory.latest(source) if memory is not None else None
        for entry_id in ids:
            held = entries.pop(entry_id, None)
            if not isinstance(held, HeldEntry):
                continue
            size_bytes += len(held.entry.raw)
            if shares is not None:
                shares.settled(held)
            if recent is not None:
                recent[entry_id] = hash(held.entry.event.id)
        self._size_bytes -= size_bytes
        if memory is not None:
            memory.forget(source)
        self.changed.set()

    def _of(self, source: Source) -> dict[bytes, HeldEntry | Aside | None]:
        try:
            return self._held[source]
        except KeyError:
            return self._held.setdefault(source, {})

    def _deliveries(self, source: Source, entry_id: bytes) -> int:
        one = self._held[source][entry_id]
        assert one is not None  # noqa: S101 - nobody asks about what is on its way out
        return one.deliveries if isinstance(one, Aside) else one.entry.deliveries


def in_flight_of(consumer: Consumer, *, hands: Callable[[], Collection[Hand]]) -> InFlight:
    """As many entries as this consumer needs in hand to be busy.

    `hands` are those of all partitions of the process, among which a joint batch is made.
    """
    if consumer.output is not None:
        shares = Shares(
            lambda held: consumer.transform_of(held.entry.event.type).key(held.entry.event),
            max_entries=_MAX_GATHERED,
            max_bytes=_MAX_BYTES,
        )
        return InFlight(_MAX_GATHERED, max_bytes=_MAX_BYTES, remembers=False, shares=shares)
    batches = consumer.batch_handler
    if batches is None:
        most = max(4 * consumer.concurrency, consumer.max_in_hand)
        return InFlight(
            most,
            max_bytes=min(_MAX_BYTES, most * _MAX_BYTES // 1000),
            remembers=not consumer.has_effects_in_redis,
        )
    return InFlight(
        batches.max_events + min(batches.max_events, _MAX_AHEAD),
        max_bytes=batches.max_bytes * 3 // 2,
        remembers=not consumer.has_effects_in_redis,
        hands=hands if batches.across_partitions else None,
    )
