"""Knows how an endpoint stands: since when it takes nothing, and whether an event is to blame.

Pure. An endpoint that takes nothing is away: its events wait, and none of them is given up for
that. What it refuses while it takes others is that event's own failure. To tell these apart, it is
remembered when each event failed first.
"""

from typing import Final, Literal

from msgspec import Struct, field

__all__ = ["EndpointStanding"]

_TOLD_AFTER: Final = 5
"""Failures in a row that are no single event's any more."""
_TOLD_AFTER_S: Final = 60.0
_MOST_REMEMBERED: Final = 10_000


class EndpointStanding(Struct):
    """How one endpoint stands in this process; moments are Unix time.

    `failing_since` is when the first of the attempts failed that were followed by no success.
    """

    failing_since: float | None = None
    delivered_at: float | None = None
    is_told: bool = False
    _failures: int = 0
    _failing: dict[str, float] = field(default_factory=dict)

    def delivered(self, event_id: str, now: float) -> float | None:
        """Note a success; for how many seconds the endpoint was away, if that was told."""
        self._failing.pop(event_id, None)
        self.delivered_at = now
        since, self.failing_since, self._failures = self.failing_since, None, 0
        was_told, self.is_told = self.is_told, False
        return now - since if was_told and since is not None else None

    def blames(self, event_id: str, now: float) -> Literal["event", "endpoint"]:
        """Note a failed attempt with an event; what is to blame.

        The event, if others were taken since it failed first and the endpoint is not away now. A
        first failure says nothing.
        """
        first = self._failing.setdefault(event_id, now)
        if len(self._failing) > _MOST_REMEMBERED:
            del self._failing[next(iter(self._failing))]
        taken = self.delivered_at
        is_refused = taken is not None and taken > first and not self.is_told
        return "event" if is_refused else "endpoint"

    def failed(self, now: float, *, for_all: bool) -> bool:
        """Note a failure of the endpoint; whether it is to be told, which is once for each state.

        `for_all`: it would have failed with any event.
        """
        self._failures += 1
        if self.failing_since is None:
            self.failing_since = now
        lasts_s = now - self.failing_since
        is_sure = for_all or self._failures >= _TOLD_AFTER or lasts_s >= _TOLD_AFTER_S
        if not is_sure or self.is_told:
            return False
        self.is_told = True
        return True

    def begin_anew(self) -> None:
        """Count from now on: somebody has looked after the endpoint."""
        self.failing_since, self._failures, self.is_told = None, 0, False
