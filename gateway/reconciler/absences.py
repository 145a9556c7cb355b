"""Says when a portal that does not answer is asked again: rarely, and by one duty at a time.

Pure; times are seconds of one clock.
"""

from typing import Final

from msgspec import Struct

from gateway.backoff import Backoff

__all__ = ["Absences"]

_BACKOFF: Final = Backoff(first_s=30.0, limit_s=900.0, jitter=0.0)
"""A portal that is back is looked after within a quarter of an hour; sooner if it signals."""
_LOOK_S: Final = 5.0


class _Absence(Struct):
    failures: int = 0
    ask_at: float = 0.0
    is_asked: bool = False


class Absences:
    """Keeps the portals that did not answer when they were asked last, by member id."""

    def __init__(self) -> None:
        self._absent: dict[str, _Absence] = {}

    def __contains__(self, member_id: str) -> bool:
        return member_id in self._absent

    def ask_in_s(self, member_id: str, now: float) -> float:
        """In how many seconds a portal may be asked; 0.0 for now, by whoever was told so.

        Of an absent one only one is told so at a time, until it `answered` or `failed`, or was
        `left` unasked.
        """
        absence = self._absent.get(member_id)
        if absence is None:
            return 0.0
        if absence.is_asked:
            return _LOOK_S
        if now >= absence.ask_at:
            absence.is_asked = True
            return 0.0
        return absence.ask_at - now

    def failed(self, member_id: str, now: float) -> None:
        """It did not answer. Turns that were under way at the same time count as one."""
        absence = self._absent.setdefault(member_id, _Absence())
        if absence.failures and not absence.is_asked:
            return
        absence.failures += 1
        absence.is_asked = False
        absence.ask_at = now + _BACKOFF.delay_s(absence.failures)

    def answered(self, member_id: str) -> None:
        """It answered, or has told of itself."""
        self._absent.pop(member_id, None)

    def left(self, member_id: str) -> None:
        """Whoever was told to ask has not, for other reasons."""
        if (absence := self._absent.get(member_id)) is not None:
            absence.is_asked = False
