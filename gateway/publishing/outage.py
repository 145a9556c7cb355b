"""Tells of a trouble that lasts: when it begins, each minute what it has cost since, and its end.

What meets it hundreds of times a second must not write hundreds of lines, least of all where the
disk is full; and whoever reads the log afterwards has to see that it is over.
"""

from time import monotonic
from typing import Any, Final, Literal

import structlog

__all__ = ["SharedOutage"]

log: Any = structlog.get_logger(__name__)

_AGAIN_S: Final = 60.0


class SharedOutage:
    """Tells of a trouble of one kind, which several may meet: it is over when it is for all of
    them.

    `ends` is what is said then.
    """

    def __init__(self, *, level: Literal["warning", "error"], ends: str) -> None:
        self._tell = level
        self._ends = ends
        self._who: set[object] = set()
        self._phrase = ""
        self._began_at = self._told_at = 0.0
        self._untold = self._total = 0

    @property
    def lasts(self) -> bool:
        """Whether somebody has met it whom it has not passed."""
        return bool(self._who)

    def meets(self, phrase: str, who: object, *, events: int = 0, **about: object) -> None:
        """Somebody has met it, with so many events: told if it has begun, has become something
        else (another `phrase`), or was last told a minute ago; `events` are those since.
        """
        now = monotonic()
        if not self._who:
            self._began_at, self._total, self._phrase = now, 0, ""
        self._who.add(who)
        self._untold += events
        self._total += events
        if phrase == self._phrase and now - self._told_at < _AGAIN_S:
            return
        if events:
            about["events"] = self._untold
        if self._phrase:
            about["for_s"] = round(now - self._began_at)
        getattr(log, self._tell)(phrase, **about)
        self._phrase, self._told_at, self._untold = phrase, now, 0

    def passed(self, who: object) -> None:
        """It is over for this one, if it was there at all."""
        if who not in self._who:
            return
        self._who.discard(who)
        if not self._who:
            about = {"events": self._total} if self._total else {}
            log.info(self._ends, after_s=round(monotonic() - self._began_at), **about)
