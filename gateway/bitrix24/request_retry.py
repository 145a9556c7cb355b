"""Decides whether a failed request is sent again by itself, and after how long; no I/O."""

from typing import Final

from gateway.backoff import Backoff
from gateway.bitrix24.errors import MaybeDone, Unavailable

__all__ = ["LONGEST_PAUSE_S", "may_repeat", "pause_s"]

MAX_FAILURES: Final = 4
"""After so many failures of the network or the portal in one call, its caller decides."""
LONGEST_PAUSE_S: Final = 25.0
"""No pause is longer, in seconds."""


def may_repeat(error: Unavailable, *, failures: int, is_repeatable: bool) -> bool:
    """Whether the request may be sent again after its `failures`-th failure.

    One that may have been carried out may only if its caller said that twice is as good as once.
    """
    return failures < MAX_FAILURES and (is_repeatable or not isinstance(error, MaybeDone))


def pause_s(failures: int, *, first_s: float = 0.25) -> float:
    """Seconds to wait after the `failures`-th failure: doubling, a quarter more or less."""
    backoff = Backoff(first_s=1.25 * first_s, limit_s=LONGEST_PAUSE_S, jitter=0.4)
    return backoff.delay_s(failures)
