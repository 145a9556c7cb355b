"""Shows metrics about portals for as long as the portals are looked after here, and no longer."""

from collections import Counter
from collections.abc import Collection
from typing import Final, get_args

from gateway import metrics
from gateway.contract import Trouble

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
        self._troubles: dict[str, frozenset[Trouble]] = {}
        self._troubled: Counter[Trouble] = Counter()
        self._cleaned_at = 0.0

    def show(
        self,
        member_id: str,
        *,
        last_event_at: float | None,
        troubles: Collection[Trouble],
        now: float,
    ) -> None:
        """Show a portal; `last_event_at` and `now` are Unix seconds."""
        self._shown_at[member_id] = now
        if last_event_at is not None:
            metrics.PORTAL_LAST_EVENT_SECONDS.set(member_id, value=last_event_at)
        self._show_troubles(member_id, troubles)
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
        metrics.PORTAL_LAST_EVENT_SECONDS.end(member_id)
        metrics.QUEUE_DRAINED_SECONDS.end(member_id)
        self._show_troubles(member_id, ())

    def _show_troubles(self, member_id: str, troubles: Collection[Trouble]) -> None:
        before, now = self._troubles.pop(member_id, frozenset()), frozenset(troubles)
        if now:
            self._troubles[member_id] = now
        for trouble in before - now:
            metrics.PORTAL_TROUBLE.end(member_id, trouble)
        for trouble in now - before:
            metrics.PORTAL_TROUBLE.set(member_id, trouble, value=1.0)
        self._troubled.subtract(before)
        self._troubled.update(now)
        for trouble in _TROUBLES:
            metrics.PORTALS_IN_TROUBLE.labels(trouble).set(self._troubled[trouble])
