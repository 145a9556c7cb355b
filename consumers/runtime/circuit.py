"""When everything fails because something is away: pausing instead of trying each entry in turn."""

from msgspec import Struct

from gateway.backoff import Backoff

__all__ = ["Circuit"]


class Circuit(Struct):
    """Opens when `threshold` different lanes failed transiently and nothing succeeded in between.

    One comment that fails again and again is one lane, and pauses nobody else.
    """

    backoff: Backoff
    threshold: int = 5
    _failing: set[str] = set()
    _pauses: int = 0

    def failed(self, lane: str, *, pause_s: float = 0.0) -> float | None:
        """Note a transient failure; the seconds to pause, if the partition has to pause.

        The pause is at least `pause_s`, the one that the handler asked for.
        """
        if len(self._failing) < self.threshold:
            self._failing.add(lane)
        if len(self._failing) < self.threshold:
            return None
        self._pauses += 1
        return max(self.backoff.delay_s(self._pauses), pause_s)

    def answered(self) -> None:
        """Note any other result of an attempt: what the handlers need is there."""
        if self._failing:
            self._failing.clear()
            self._pauses = 0
