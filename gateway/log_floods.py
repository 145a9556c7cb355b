"""Cuts floods of log lines that say the same: the first of a second are logged, the rest is
counted.

A sender who is refused a thousand times a second would else push everything out of the log that
came before. Only warnings are left out: an error tells of something that is lost, which is worth a
line each time, and what is `info` is wanted by whoever chose that level.
"""

import threading
from typing import Final

__all__ = ["Floods"]

_MAX_A_SECOND: Final = 20
_SECOND_S: Final = 1.0

Kind = tuple[str, str]
"""The phrase of a line and its reason, if it has one: what makes two lines alike."""


class Floods:
    """Decides which warnings are logged; times are those of any clock, in seconds.

    Safe in threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since = 0.0
        self._counts: dict[Kind, int] = {}
        self._left_out: dict[Kind, int] = {}

    def admits(self, kind: Kind, now: float) -> bool:
        """Whether to log this one; if not, it counts as left out."""
        with self._lock:
            if now - self._since >= _SECOND_S:
                self._counts.clear()
                self._since = now
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
            if count <= _MAX_A_SECOND:
                return True
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return False

    def left_out(self) -> dict[Kind, int]:
        """How many of each kind were left out since this was last asked."""
        with self._lock:
            left_out, self._left_out = self._left_out, {}
            return left_out
