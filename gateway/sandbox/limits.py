"""Bounds how much a portal lets a caller do; no I/O, the clock is an argument.

https://apidocs.bitrix24.com/limits.html
"""

from collections import defaultdict
from typing import Final

__all__ = ["LeakyBucket", "OperatingTime"]

_BUCKET_S: Final = 60
_BUCKETS: Final = 10


class LeakyBucket:
    """Takes requests while there is room, and leaks so many of them a second."""

    def __init__(self, *, requests_per_s: float, burst: float) -> None:
        self._requests_per_s = requests_per_s
        self._burst = burst
        self._level = 0.0
        self._leaked_at = 0.0

    def admits(self, now: float) -> bool:
        """Whether one more request fits; one that does not leaves the bucket as it is.

        `now` is in seconds of a clock that never goes back.
        """
        self._level = max(0.0, self._level - (now - self._leaked_at) * self._requests_per_s)
        self._leaked_at = now
        if self._level + 1 > self._burst:
            return False
        self._level += 1
        return True


class OperatingTime:
    """Counts the seconds that a method has worked for a caller within the last ten minutes.

    Time is booked in buckets of a minute, and becomes free again a bucket at a time.
    """

    def __init__(self, *, limit_s: float) -> None:
        self.limit_s = limit_s
        self._spent_s: dict[tuple[str, str], dict[int, float]] = defaultdict(dict)

    def spend(self, caller: str, method: str, seconds: float, now: float) -> None:
        """Book time; `now` is in Unix seconds."""
        buckets = self._current(caller, method, now)
        minute = int(now) // _BUCKET_S
        buckets[minute] = buckets.get(minute, 0.0) + seconds

    def spent_s(self, caller: str, method: str, now: float) -> float:
        """The time that is booked at the moment."""
        return sum(self._current(caller, method, now).values())

    def is_over(self, caller: str, method: str, now: float) -> bool:
        """Whether the method is blocked for this caller."""
        return self.spent_s(caller, method, now) > self.limit_s

    def reset_at(self, caller: str, method: str, now: float) -> int:
        """When the oldest bucket becomes free, in Unix seconds."""
        oldest = min(self._current(caller, method, now), default=int(now) // _BUCKET_S)
        return (oldest + _BUCKETS) * _BUCKET_S

    def _current(self, caller: str, method: str, now: float) -> dict[int, float]:
        buckets = self._spent_s[caller, method]
        for minute in [one for one in buckets if one + _BUCKETS <= int(now) // _BUCKET_S]:
            del buckets[minute]
        return buckets
