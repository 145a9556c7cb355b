"""Counts how many events a minute each portal sends. Pure."""

from collections import Counter
from collections.abc import Mapping

from msgspec import Struct

__all__ = ["LocalTally", "Tally", "alarming"]


class Tally(Struct, frozen=True):
    """What portals sent: in the minute that runs (`current`), and in the one before (`previous`).

    `added` is what was counted last, and is part of `current`.
    """

    added: Mapping[str, int]
    current: Mapping[str, int]
    previous: Mapping[str, int]


def alarming(tally: Tally, limit: int) -> list[str]:
    """The portals that have just come over `limit` events in a minute; none when it is 0.

    Of all processes that count into one tally exactly one is told, the one whose counts went over
    the limit, and it is told once in each minute.
    """
    return [
        member_id
        for member_id, added in tally.added.items()
        if limit and tally.current[member_id] - added <= limit < tally.current[member_id]
    ]


class LocalTally:
    """Keeps what this process counted, for when it cannot be added to what others did."""

    def __init__(self) -> None:
        self._minutes: dict[int, Counter[str]] = {}

    def add(self, minute: int, added: Mapping[str, int]) -> Tally:
        """Count these into a minute; minutes only rise."""
        self._minutes = {
            one: counts for one, counts in self._minutes.items() if one in (minute, minute - 1)
        }
        current = self._minutes.setdefault(minute, Counter())
        current.update(added)
        return Tally(added, current, self.of(minute - 1))

    def of(self, minute: int) -> Mapping[str, int]:
        """What was counted in a minute, if that is not long over."""
        return self._minutes.get(minute, {})
