"""Says how long to wait after a failure before the next try: the one back-off of gateway and
consumers.

Pure: it knows no clock, and whoever asks does the waiting.
"""

import random

from msgspec import Struct

__all__ = ["Backoff"]


class Backoff(Struct, frozen=True, kw_only=True):
    """Delays in seconds that grow by `factor` from `first_s` up to `limit_s`.

    Chance takes up to the share `jitter` off each of them, so that what failed together does not
    come back together. Raises ValueError for numbers that give no delays, or shrinking ones.
    """

    first_s: float = 0.5
    factor: float = 2.0
    limit_s: float = 60.0
    jitter: float = 0.5

    def __post_init__(self) -> None:
        if not (self.first_s >= 0 and self.limit_s >= 0 and self.factor >= 1):
            raise ValueError("first_s and limit_s are not negative, and factor is at least 1")
        if not 0 <= self.jitter <= 1:
            raise ValueError("jitter is a share, from 0 to 1")

    def delay_s(self, attempt: int) -> float:
        """The delay after the failure with the number `attempt`, from 1."""
        try:
            longest_s = min(self.first_s * self.factor ** (max(attempt, 1) - 1), self.limit_s)
        except OverflowError:
            longest_s = self.limit_s
        chance = random.random()  # noqa: S311 - it spreads tries, and guards nothing
        return float(longest_s * (1 - self.jitter + self.jitter * chance))
