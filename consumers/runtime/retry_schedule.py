"""Describes when an entry is tried again that its handler was refused, for hours and days. Pure."""

import random

from msgspec import Struct

__all__ = ["RetrySchedule"]


class RetrySchedule(Struct, frozen=True, kw_only=True):
    """Pauses in seconds after the first refusal, the second, …; the last of them from then on.

    Chance adds up to the share `jitter` of each, so that what failed together does not come back
    together. After `give_up_s` seconds of refusals the entry is given up.
    """

    pauses_s: tuple[float, ...]
    give_up_s: float
    jitter: float = 0.2

    def __post_init__(self) -> None:
        """Refuse a schedule that is none."""
        if not self.pauses_s or min(self.pauses_s) < 0 or self.give_up_s < 0 or self.jitter < 0:
            raise ValueError("at least one pause, and nothing is negative")

    def delay_s(self, attempt: int) -> float:
        """The pause after the refusal with the number `attempt`, from 1."""
        pause_s = self.pauses_s[min(max(attempt, 1), len(self.pauses_s)) - 1]
        return pause_s * (1 + self.jitter * random.random())  # noqa: S311 - guards nothing

    def is_over(self, failing_s: float) -> bool:
        """Whether an entry that was refused for so long is given up."""
        return failing_s >= self.give_up_s
