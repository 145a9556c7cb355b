"""Shows metrics about portals for as long as the portals are looked after here, and no longer."""

from typing import Final, get_args

from gateway import metrics
from gateway.contract import PortalData, Trouble
from gateway.metric_series import end_series

__all__ = ["PortalGauges"]

_TROUBLES: Final[tuple[Trouble, ...]] = get_args(Trouble)


class PortalGauges:
    """Shows gauges of portals in this process. What is not shown again for `life_s` is taken away.

    A portal that was removed would else look well, or ill, for ever; and so would all of them in a
    process that does not lead any more.
    """

    def __init__(self, *, life_s: float) -> None:
        self._life_s = life_s
        self._shown_at: dict[str, float] = {}
        self._cleaned_at = 0.0

    def show(
        self,
        member_id: str,
        *,
        last_event_at: float | None,
        troubles: dict[Trouble, PortalData],
        now: float,
    ) -> None:
        """Show a portal; `last_event_at` and `now` are Unix seconds."""
        self._shown_at[member_id] = now
        if last_event_at is not None:
            metrics.PORTAL_LAST_EVENT_SECONDS.labels(member_id).set(last_event_at)
        for trouble in _TROUBLES:
            metrics.PORTAL_TROUBLE.labels(member_id, trouble).set(trouble in troubles)
        if now - self._cleaned_at > self._life_s:
            self._cleaned_at = now
            for other, at in list(self._shown_at.items()):
                if now - at > self._life_s:
                    self._hide(other)

    def close(self) -> None:
        """Show nothing any more."""
        for member_id in list(self._shown_at):
            self._hide(member_id)

    def _hide(self, member_id: str) -> None:
        del self._shown_at[member_id]
        end_series(metrics.PORTAL_LAST_EVENT_SECONDS, member_id)
        end_series(metrics.QUEUE_DRAINED_SECONDS, member_id)
        for trouble in _TROUBLES:
            end_series(metrics.PORTAL_TROUBLE, member_id, trouble)
