"""Decides how much of what is in flight one key (a portal) may fill, and sets the rest aside. Pure.

What waits for a slow portal must not keep others from being read. So a key has a share, and what
comes of it beyond that is set aside: it stays pending on the server, nothing but its id is kept
here, and it is fetched again when there is room for its key, in its order. Nothing overtakes it:
as long as something of a key is aside, everything new of it goes there, too.
"""

from collections import deque
from collections.abc import Callable, Hashable, Iterator
from typing import Final

from msgspec import Struct

from consumers.runtime.entry import HeldEntry, Source

__all__ = ["Aside", "Key", "Shares"]

Key = Hashable

_SHARED: Final = 0.7
_HOG: Final = 0.5
_LEAST: Final = 20
"""A key may take half of what is left of seven tenths of the hand, and twenty entries in any case.
So one that hangs gets a third of those seven tenths, ten get a seventeenth of them each, and there
is always room to read on: what is not shared is enough for twenty entries each of 250 more keys."""


_ENOUGH: Final = 1000
"""Entries that keep a key busy while more is fetched: several full calls."""


class Aside(Struct, frozen=True, gc=False):
    """What is kept of an entry that is set aside: how often it was delivered, and whose it is."""

    deliveries: int
    portal: str


class _Share(Struct):
    aside: deque[tuple[Source, bytes]]
    count: int = 0
    size_bytes: int = 0


class Shares:
    """Divides `max_entries` and `max_bytes` among all keys; `key_of` tells the key of an entry."""

    def __init__(
        self, key_of: Callable[[HeldEntry], Key], *, max_entries: int, max_bytes: int
    ) -> None:
        self._key_of = key_of
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._shares: dict[Key, _Share] = {}
        self._aside: dict[Key, None] = {}

    def admits(self, held: HeldEntry, *, count: int, size_bytes: int) -> bool:
        """Whether an entry may be taken in hand, which has so many entries and bytes."""
        share = self._shares.get(self._key_of(held))
        if share is None:
            return True
        return not share.aside and self._left(share, count=count, size_bytes=size_bytes) > 0

    def took(self, held: HeldEntry) -> None:
        """An entry is in hand."""
        share = self._share_of(self._key_of(held))
        share.count += 1
        share.size_bytes += len(held.entry.raw)

    def settled(self, held: HeldEntry) -> None:
        """An entry is in hand no more."""
        key = self._key_of(held)
        share = self._shares[key]
        share.count -= 1
        share.size_bytes -= len(held.entry.raw)
        if not share.count and not share.aside:
            del self._shares[key]

    def set_aside(self, held: HeldEntry) -> None:
        """An entry is aside, behind all others of its key that are."""
        key = self._key_of(held)
        self._share_of(key).aside.append((held.source, held.id))
        self._aside[key] = None

    def wanted(
        self, *, most: int, count: int, size_bytes: int
    ) -> Iterator[tuple[Key, list[tuple[Source, bytes]]]]:
        """What is to come back now of each key, `most` entries in all; the keys take turns."""
        for key in list(self._aside):
            share = self._shares[key]
            left = self._left(share, count=count, size_bytes=size_bytes)
            # Not one by one, since each time is a round trip; and not before it is needed, so that
            # what others have further behind is reached first.
            if share.count > min(left, _ENOUGH) or most <= 0:
                continue
            some = [share.aside[one] for one in range(min(left, most, len(share.aside)))]
            most -= len(some)
            self._aside[key] = self._aside.pop(key)
            if some:
                yield key, some

    def came_back(self, key: Key, count: int) -> None:
        """The first of a key are aside no more."""
        share = self._shares[key]
        for _ in range(count):
            share.aside.popleft()
        if not share.aside:
            del self._aside[key]
            if not share.count:
                del self._shares[key]

    def forget_aside(self) -> None:
        """Nothing is aside any more: all of it is looked for anew."""
        for key in self._aside:
            share = self._shares[key]
            share.aside.clear()
            if not share.count:
                del self._shares[key]
        self._aside.clear()

    def _left(self, share: _Share, *, count: int, size_bytes: int) -> int:
        """How many more entries a key may have in hand."""
        least = max(0, _LEAST - share.count)
        free_bytes = _HOG * (_SHARED * self._max_bytes - size_bytes)
        if share.size_bytes >= free_bytes:
            return least
        return max(least, int(_HOG * (_SHARED * self._max_entries - count)) - share.count)

    def _share_of(self, key: Key) -> _Share:
        share = self._shares.get(key)
        if share is None:
            share = self._shares[key] = _Share(aside=deque())
        return share
