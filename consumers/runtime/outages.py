"""Tells what this process cannot do on Redis at the moment: once, and once when it is over.

Each loop that asks something of Redis time and again (leases, reading, acknowledging, writing,
burying) has an `Outage` of its own, and tells it of each failure and of each success. So the log
has a line when a state begins and not for each try, and the probes know since when what has failed.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog

from gateway.errors import OperatorError
from gateway.redis_access.connections import RedisFault, fault_of, is_denied

__all__ = ["Outage", "Outages"]

log = structlog.get_logger()


class Outages:
    """Knows the outages of one process; times are by time.monotonic().

    What is the same outage of several of its groups is told once, if they `are_told_together`. What
    `is_our_doing`, such as a time-out of a loop that stood still, is none.
    """

    def __init__(
        self,
        is_our_doing: Callable[[Exception], bool] = lambda _error: False,
        *,
        are_told_together: bool = False,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._are_told_together = are_told_together
        self.is_our_doing = is_our_doing
        self.now = now
        self.has_worked = False
        self._current: dict[Outage, None] = {}

    def of(self, phrase: str, **keys: Any) -> "Outage":
        """One that may begin: `phrase` and `keys` are the line in the log."""
        return Outage(self, phrase, keys)

    def worked(self) -> None:
        """A partition is read: from now on, what Redis denies was taken away, and may come back."""
        self.has_worked = True

    def is_told(self, phrase: str, kind: str) -> bool:
        """Whether another outage of this kind goes on, which is enough to tell."""
        return self._are_told_together and any(
            (one.phrase, one.kind) == (phrase, kind) for one in self._current
        )

    @property
    def longest_s(self) -> float:
        """For how many seconds the oldest of them has lasted; 0 if there is none."""
        return max((one.lasts_s for one in self._current), default=0.0)

    def lasting(self, seconds: float) -> list[str]:
        """Those that have lasted for so long, in words."""
        return [str(one) for one in self._current if one.lasts_s >= seconds]

    def denied(self) -> list[str]:
        """Those that an operator has to end, in words."""
        return [str(one) for one in self._current if one.is_denied]

    def begins(self, one: "Outage") -> None:
        """Note an outage."""
        self._current[one] = None

    def ends(self, one: "Outage", *, is_back: bool) -> None:
        """Note that one is over, or nobody's any more; the end of the last one is told."""
        self._current.pop(one, None)
        if is_back and not self._current:
            log.info("Redis is back", after_s=round(one.lasts_s, 1))


class Outage:
    """One loop's failing: from its first failure to its next success."""

    def __init__(self, outages: Outages, phrase: str, keys: dict[str, Any]) -> None:
        self._outages = outages
        self.phrase = phrase
        self._keys = keys
        self._began_at: float | None = None
        self.kind = ""
        self._is_denied = False
        self._error = ""

    def __str__(self) -> str:
        return f"{self.phrase} for {self.lasts_s:.0f} s: {self._error}"

    @property
    def lasts_s(self) -> float:
        """For how many seconds; 0 if all is well."""
        return 0.0 if self._began_at is None else self._outages.now() - self._began_at

    @property
    def is_denied(self) -> bool:
        """Whether it lasts because this user of Redis lacks a right."""
        return self._is_denied

    def failed(self, error: Exception, **keys: Any) -> None:
        """Note a failure; the first of its kind is logged.

        Raises OperatorError if Redis denies it to a process that has never worked: waiting would
        mend nothing. Later it is waited for, as a right that was taken away may be given again.
        """
        if self._outages.is_our_doing(error):
            return
        denied = is_denied(error)
        self._error = f"{type(error).__name__}: {error}"
        if denied and not self._outages.has_worked:
            raise OperatorError(f"Redis refuses the consumer: {error}") from error
        if self._began_at is None:
            self._began_at = self._outages.now()
            self._outages.begins(self)
        self._is_denied = denied
        if (kind := _kind(error)) != self.kind:
            is_told = self._outages.is_told(self.phrase, kind)
            self.kind = kind
            if is_told:
                return
            tell = log.error if denied else log.warning
            tell(self.phrase, error=self._error, **self._keys, **keys)

    def over(self) -> None:
        """Note a success."""
        self._end(is_back=True)

    def forget(self) -> None:
        """Note that nobody waits for a success any more."""
        self._end(is_back=False)

    def _end(self, *, is_back: bool) -> None:
        if self._began_at is not None:
            self._outages.ends(self, is_back=is_back)
            self._began_at, self.kind, self._is_denied = None, "", False


def _kind(error: Exception) -> str:
    """What an operator would call the same: all that means away, and each reason of a refusal."""
    if fault_of(error) is RedisFault.AWAY:
        return "away"
    return f"{type(error).__name__} {str(error).partition(' ')[0]}"
