"""Makes gaps of missed events: stretches of time of which events were missed. Pure."""

from collections.abc import Iterable
from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["Gap", "Way", "gaps_of", "merged"]

Way: TypeAlias = Literal["queue", "sweep"]
"""How missed events were found: in the portal's queue, or by comparing comments."""

_ADJACENT_S: Final = 60


class Gap(Struct, frozen=True, kw_only=True):
    """Missed events of a portal, none of them more than a minute after the one before it.

    `first` and `last` are when they happened, by the portal's clock (Unix seconds); of what a sweep
    found, when it was found.
    """

    first: float
    last: float
    events: int
    way: Way


def gaps_of(moments: Iterable[float], way: Way) -> list[Gap]:
    """The gaps that events missed at these moments make."""
    return merged(Gap(first=at, last=at, events=1, way=way) for at in moments)


def merged(gaps: Iterable[Gap]) -> list[Gap]:
    """The same with those made one that touch each other, in the order of time."""
    found: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: (gap.way, gap.first)):
        before = found[-1] if found else None
        is_apart = before is None or gap.first > before.last + _ADJACENT_S
        if before is None or is_apart or before.way != gap.way:
            found.append(gap)
        else:
            found[-1] = Gap(
                first=before.first,
                last=max(before.last, gap.last),
                events=before.events + gap.events,
                way=gap.way,
            )
    return sorted(found, key=lambda gap: gap.first)
