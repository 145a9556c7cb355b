"""Holds the entries in hand: what was delivered to this process and is not acknowledged yet."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Final

from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import HeldEntry, Source
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

_RECENT: Final = 5000
_UNSEEN: Final = 1000
"""How many are taken at first, while nothing in hand tells how large they are."""


class InFlight:
    """Keeps entries by source and id, and the last ones that were acknowledged.

    A server that lost its memory of deliveries (a failover, a deleted group) delivers again what
    is in hand, and what was acknowledged a moment ago. Both are recognised here; the latter only
    if the hand `remembers`. It must not where what a handler does is kept by the same server, which
    then has lost that as well.

    With `shares`, no key fills all of it: what is set aside counts as delivered to this process,
    and takes no room. With `hands`, all that it names have `max_entries` and `max_bytes` in common;
    as much again is divided among them, so that none waits for what fills the rest.
    """

    def __init__(
        self,
        max_entries: int,
        *,
        max_bytes: int,
        remembers: bool = True,
        shares: Shares | None = None,
        hands: "Callable[[], Collection[InFlight]] | None" = None,
    ) -> None:
        self._hands = hands
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._remembers = remembers
        self._size_bytes = 0
        self._shares = shares
        self.aside_count = 0
        self.changed = asyncio.Event()
        self._held: dict[Source, dict[bytes, HeldEntry | Aside | None]] = {}
        # Two generations: forgetting the older one as a whole costs nothing for each entry.
        self._recent: dict[Source, dict[bytes, int]] = {}
        self._older: dict[Source, dict[bytes, int]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))

    def count(self, source: Source) -> int:
        """How many entries of a source are in hand or aside."""
        return len(self._held.get(source, ()))

    def room(self) -> int:
        """How many more entries may be taken, by their number and their size; 0 for few.

        Reading one entry each time that one is done would cost a round trip for each.
        """
        count = len(self) - self.aside_count
        if self._hands is None:
            room = _worth_reading(self._max_entries - count, self._max_entries)
            room_bytes = _worth_reading(self._max_bytes - self._size_bytes, self._max_bytes)
            return self._as_large_as_those_in_hand(room, room_bytes)
        hands = self._hands()
        number = max(1, len(hands))
        share, share_bytes = max(1, self._max_entries // number), self._max_bytes // number
        own = self._as_large_as_those_in_hand(
            _worth_reading(share - count, share),
            _worth_reading(share_bytes - self._size_bytes, share_bytes),
        )
        if own:
            return own
        # Not all that is left: others may be asking at the same moment.
        left = self._max_entries - sum(len(hand) for hand in hands)
        left_bytes = self._max_bytes - sum(hand.size_bytes for hand in hands)
        return self._as_large_as_those_in_hand(
            _worth_reading(left, self._max_entries) // number,
            _worth_reading(left_bytes, self._max_bytes) // number,
        )

    @property
    def size_bytes(self) -> int:
        """The JSON in hand."""
        return self._size_bytes

    def has(self, source: Source, entry_id: bytes) -> bool:
        """Whether an entry is in hand or aside."""
        return entry_id in self._held.get(source, ())

    def was_handled(self, source: Source, entry_id: bytes, raw: bytes | None) -> bool:
        """Whether this very event was acknowledged at this place a moment ago."""
        recent, older = self._recent.get(source, {}), self._older.get(source, {})
        return raw is not None and hash(raw) in (recent.get(entry_id), older.get(entry_id))

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
        self._of(held.source)[held.id] = Aside(held.entry.deliveries)
        self.aside_count += 1
        return False

    def wanted(self, most: int) -> Iterator[tuple[Key, list[tuple[Source, bytes, int]]]]:
        """What of each key is to come back from aside, with its deliveries; `most` in all."""
        if self._shares is None:
            return
        count = len(self) - self.aside_count
        for key, some in self._shares.wanted(
            most=min(most, self._max_entries - count), count=count, size_bytes=self._size_bytes
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
        """The lowest id in hand."""
        entries = self._held.get(source)
        return next(iter(entries)).decode() if entries else None

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
        entries = self._held.get(source, {})
        recent = self._recent.setdefault(source, {})
        shares, remembers, size_bytes = self._shares, self._remembers, 0
        for entry_id in ids:
            held = entries.pop(entry_id, None)
            if not isinstance(held, HeldEntry):
                continue
            raw = held.entry.raw
            size_bytes += len(raw)
            if shares is not None:
                shares.settled(held)
            if remembers:
                recent[entry_id] = hash(raw)
        self._size_bytes -= size_bytes
        if len(recent) > _RECENT:
            self._older[source] = self._recent.pop(source)
        self.changed.set()

    def _as_large_as_those_in_hand(self, room: int, room_bytes: int) -> int:
        """How many more entries there is room for if they are like those in hand."""
        if not room or not room_bytes:
            return 0
        if not self._size_bytes:
            return min(room, _UNSEEN)
        count = len(self) - self.aside_count
        return max(1, min(room, room_bytes * count // self._size_bytes))

    def _of(self, source: Source) -> dict[bytes, HeldEntry | Aside | None]:
        try:
            return self._held[source]
        except KeyError:
            return self._held.setdefault(source, {})

    def _deliveries(self, source: Source, entry_id: bytes) -> int:
        one = self._held[source][entry_id]
        assert one is not None  # noqa: S101 - nobody asks about what is on its way out
        return one.deliveries if isinstance(one, Aside) else one.entry.deliveries


def _worth_reading(room: int, most: int) -> int:
    """The room that is left of `most`, if it is not too little to read for."""
    return room if 4 * room >= most else 0


def in_flight_of(consumer: Consumer, *, hands: Callable[[], Collection[InFlight]]) -> InFlight:
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
        return InFlight(max(4 * consumer.concurrency, 1000), max_bytes=_MAX_BYTES)
    return InFlight(
        batches.max_events + min(batches.max_events, _MAX_AHEAD),
        max_bytes=batches.max_bytes * 3 // 2,
        hands=hands if batches.across_partitions else None,
    )
