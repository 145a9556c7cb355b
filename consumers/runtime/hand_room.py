"""Says how many more entries are worth reading for, by their number and their size. Pure."""

from collections.abc import Collection
from typing import Final, Protocol

from msgspec import Struct

__all__ = ["Fill", "Hand", "room_of", "room_together"]

_UNSEEN: Final = 1000
"""How many are taken at first, while nothing in hand tells how large they are."""


class Fill(Struct, frozen=True):
    """What a hand holds, or may hold: entries, and bytes of their JSON."""

    entries: int
    size_bytes: int


def room_of(hand: Fill, most: Fill) -> int:
    """How many more a hand may take; 0 for few.

    Reading one entry each time that one is done would cost a round trip for each.
    """
    room = _worth_reading(most.entries - hand.entries, most.entries)
    room_bytes = _worth_reading(most.size_bytes - hand.size_bytes, most.size_bytes)
    return _as_large_as_those_in_hand(hand, room, room_bytes)


class Hand(Protocol):
    """One of several that have their room in common."""

    @property
    def fill(self) -> Fill:
        """What it holds."""


def room_together(hand: Fill, most: Fill, hands: Collection[Hand]) -> int:
    """The same for a hand that has `most` in common with all of `hands`.

    As much again is divided among them, so that none waits for what fills the rest. The others are
    looked at only where that share is used up.
    """
    number = max(1, len(hands))
    share = Fill(max(1, most.entries // number), most.size_bytes // number)
    if own := room_of(hand, share):
        return own
    # Not all that is left: others may be asking at the same moment.
    fills = [one.fill for one in hands]
    left = most.entries - sum(one.entries for one in fills)
    left_bytes = most.size_bytes - sum(one.size_bytes for one in fills)
    return _as_large_as_those_in_hand(
        hand,
        _worth_reading(left, most.entries) // number,
        _worth_reading(left_bytes, most.size_bytes) // number,
    )


def _as_large_as_those_in_hand(hand: Fill, room: int, room_bytes: int) -> int:
    """How many more entries there is room for if they are like those in hand."""
    if not room or not room_bytes:
        return 0
    if not hand.size_bytes:
        return min(room, _UNSEEN)
    return max(1, min(room, room_bytes * hand.entries // hand.size_bytes))


def _worth_reading(room: int, most: int) -> int:
    """The room that is left of `most`, if it is not too little to read for."""
    return room if 4 * room >= most else 0
