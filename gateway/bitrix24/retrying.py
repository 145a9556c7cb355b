"""Whether a failed request is sent again by itself, and after how long; no I/O."""

import random
from typing import Final

from gateway.bitrix24.errors import MaybeDone, Unavailable

__all__ = ["LONGEST_PAUSE_S", "may_repeat", "pause_s"]

MAX_FAILURES: Final = 4
"""After so many failures of the network or the portal in one call, its caller decides."""
_MAX_PAUSE_S: Final = 20.0
_SPREAD: Final = 0.25
LONGEST_PAUSE_S: Final = _MAX_PAUSE_S * (1 + _SPREAD)
"""No pause is longer, in seconds."""


def may_repeat(error: Unavailable, *, failures: int, is_repeatable: bool) -> bool:
    """Whether the request may be sent again after its `failures`-th failure.

    One that may have been carried out may only if its caller said that twice is as good as once.
    """
    return failures < MAX_FAILURES and (is_repeatable or not isinstance(error, MaybeDone))


def pause_s(failures: int, *, first_s: float = 0.25) -> float:
    """Seconds to wait after the `failures`-th failure: doubling, and spread to both sides."""
    spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 - no secret
    return min(first_s * 2.0 ** min(failures - 1, 16), _MAX_PAUSE_S) * spread
