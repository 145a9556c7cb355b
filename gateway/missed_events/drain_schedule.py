"""Says when to drain the queues of portals that have signalled. Pure.

Each signal says that something was changed just now, which cannot be judged before it has settled.
While signals go on coming, a portal's queue is drained once in each such time, and once after the
last of them; so a signal that the portal left out is made up for by the one before it.
"""

from collections.abc import Iterable

__all__ = ["DrainSchedule"]


class DrainSchedule:
    """Keeps the portals that have signalled; times are seconds of one clock."""

    def __init__(self, *, settle_s: float) -> None:
        self._settle_s = settle_s
        self._signalled: dict[str, tuple[float, float]] = {}

    def signalled(self, member_ids: Iterable[str], now: float) -> None:
        """These have signalled."""
        for member_id in member_ids:
            first, _ = self._signalled.get(member_id, (now, now))
            self._signalled[member_id] = (first, now)

    def due(self, now: float) -> list[str]:
        """The portals whose queues are to be drained now; each is named once for a signal."""
        found = []
        for member_id, (first, last) in list(self._signalled.items()):
            if now < first + self._settle_s:
                continue
            found.append(member_id)
            if last > first:
                self._signalled[member_id] = (last, last)
            else:
                del self._signalled[member_id]
        return found
