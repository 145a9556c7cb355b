"""Keeps account of where a group stands, and of what disappeared unread: sums, without Redis.

The server's own `lag` is missing after deletions and wrong after trims on some versions, and it
says nothing of entries that were trimmed before the group had read them. So the owner keeps
account: what was added less what it read is what is left, and whatever is missing at a moment
when the rest can be counted exactly was lost.
"""

from consumers.runtime.lua_scripts import Inspection
from gateway.contract import EntryId

__all__ = ["GroupProgress"]


class GroupProgress:
    """Keeps the account of one partition; `lag` is None until it is known.

    `missed_count` is how many entries more the server believes to be left than there are. It stays
    that until the group has read on, so it is compared with what it was when it was told last, here
    or by a former owner (then it is given): each loss is told once. None: it was never known.

    `erased_count` is how many of those that are missing were told of as erased on request, by this
    owner or former ones: with the note of all that ever were, it says how many are new.
    """

    def __init__(self, missed_count: int | None = None, *, erased_count: int = 0) -> None:
        self.lag: int | None = None
        self.missed_count = missed_count
        self.erased_count = erased_count
        self._added_count: int | None = None
        self._read_count = 0
        self._growth = 0
        self._is_estimate = False

    def begin(self, inspection: Inspection) -> int:
        """Start the account before a read, or anew after one that failed; the entries lost."""
        self._read_count = self._growth = 0
        self._is_estimate = False
        self._added_count = inspection.added_count
        left, believed = _left(inspection), _believed_left(inspection)
        self.lag = believed if left is None else left
        return self._missed_since(left, believed)

    def counted(self, left: int, *, is_estimate: bool = False) -> None:
        """Set the lag, where it could not be told, to what was left at the beginning, and since.

        By an estimate no loss is told, until the group has come to where the rest is certain.
        """
        if self.lag is None:
            self.lag = max(0, left + self._growth)
            self._is_estimate = is_estimate

    def read(self, count: int) -> None:
        """Note entries that were delivered."""
        self._read_count += count

    def inspected(self, inspection: Inspection) -> int:
        """Bring the account up to date, with no read under way; the entries lost since."""
        if self._added_count is None:
            return self.begin(inspection)
        growth = inspection.added_count - self._added_count - self._read_count
        self._growth += growth
        if self.lag is not None:
            self.lag += growth
            if self._is_estimate:
                self.lag = max(0, self.lag)
        self._added_count = inspection.added_count
        self._read_count = 0
        left = _left(inspection)
        if left is None:
            return 0
        lost = 0 if self.lag is None or self._is_estimate else self.lag - left
        self.lag, self._is_estimate = left, False
        self._missed_since(left, _believed_left(inspection))
        return max(lost, 0)

    def erased_among(self, missing: int, inspection: Inspection) -> int:
        """How many of entries that are missing now were erased on request; each counts once.

        Of entries that were erased and never seen to be missing, the note hides as many of the
        next loss, and of that one only. Of a lease that was lost, all that it noted is forgotten.
        """
        self.erased_count = min(self.erased_count, inspection.erased_count)
        erased = min(missing, inspection.erased_count - self.erased_count)
        self.erased_count += erased
        return erased

    def _missed_since(self, left: int | None, believed: int | None) -> int:
        """Note what is missing by the server's own count; how much more that is than before."""
        if left is None or believed is None:
            return 0
        missed, before = max(0, believed - left), self.missed_count or 0
        self.missed_count = missed
        return max(0, missed - before)


def _believed_left(inspection: Inspection) -> int | None:
    """What is left by the server's count of what it has delivered, if that can be believed."""
    return inspection.added_count - inspection.read_count if inspection.read_count >= 0 else None


def _left(inspection: Inspection) -> int | None:
    """What is certainly left; None in the midst of a stream, which may have gaps."""
    delivered = EntryId.of(inspection.delivered_id)
    if not inspection.length or delivered >= EntryId.of(inspection.last_id):
        return 0
    if delivered < EntryId.of(inspection.first_id):
        return inspection.length
    return None
