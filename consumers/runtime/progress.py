"""Where a group stands on a stream, and what disappeared unread: sums, without Redis.

The server's own `lag` is missing after deletions and wrong after trims on some versions, and it
says nothing of entries that were trimmed before the group had read them. So the owner keeps
account: what was added less what it read is what is left, and whatever is missing at a moment
when the rest can be counted exactly was lost.
"""

from consumers.runtime.scripts import Inspection

__all__ = ["Progress", "before", "order"]


def order(entry_id: str) -> tuple[int, int]:
    """An entry id as a value that compares as the server does."""
    ms, _, sequence = entry_id.partition("-")
    return int(ms), int(sequence or 0)


def before(entry_id: str) -> str:
    """The id that comes right before this one: a group set to it reads this entry next."""
    ms, sequence = order(entry_id)
    if sequence:
        return f"{ms}-{sequence - 1}"
    return f"{ms - 1}-{2**64 - 1}" if ms else "0-0"


class Progress:
    """The account of one owner of one partition; `lag` is None until it is known."""

    def __init__(self) -> None:
        self.lag: int | None = None
        self._added_count: int | None = None
        self._read_count = 0

    def begin(self, inspection: Inspection) -> int:
        """Start the account before a read, or anew after one that failed; the entries lost."""
        self._read_count = 0
        self._added_count = inspection.added_count
        is_known = inspection.read_count >= 0
        self.lag = inspection.added_count - inspection.read_count if is_known else None
        return self._compare(inspection)

    def counted(self, left: int) -> None:
        """Set the lag that the last inspection could not tell, where it was counted since."""
        self.lag = left

    def read(self, count: int) -> None:
        """Note entries that were delivered."""
        self._read_count += count

    def inspected(self, inspection: Inspection) -> int:
        """Bring the account up to date, with no read under way; the entries lost since."""
        if self._added_count is None:
            return self.begin(inspection)
        if self.lag is not None:
            self.lag += inspection.added_count - self._added_count - self._read_count
        self._added_count = inspection.added_count
        self._read_count = 0
        return self._compare(inspection)

    def _compare(self, inspection: Inspection) -> int:
        """Set the lag to what is certainly left, if that can be told; the difference was lost."""
        left = _left(inspection)
        if left is None:
            return 0
        lost = 0 if self.lag is None else self.lag - left
        self.lag = left
        return max(lost, 0)


def _left(inspection: Inspection) -> int | None:
    delivered = order(inspection.delivered_id)
    if not inspection.length or delivered >= order(inspection.last_id):
        return 0
    if delivered < order(inspection.first_id):
        return inspection.length
    return None
