"""Decides which moments are believed: clocks of machines differ, and one may have been ahead."""

from datetime import datetime, timedelta
from typing import Final

__all__ = ["is_believable", "is_later"]

_DIFFER_S: Final = 3600.0
# More than machines differ that ask anybody for the time; little beside what is judged by it.


def is_believable(moment_s: float, *, now_s: float) -> bool:
    """Whether something can have been noted at a moment; both in Unix seconds.

    One that is further ahead than clocks differ was told by a clock that has been put right since,
    and must not be waited for.
    """
    return moment_s <= now_s + _DIFFER_S


def is_later(noted: datetime, moment: datetime, *, now: datetime) -> bool:
    """Whether what was noted happened after a moment; not if that cannot be believed."""
    return moment < noted <= now + timedelta(seconds=_DIFFER_S)
