"""Says which events concern what was erased on request. Does no I/O."""

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from gateway.contract import CloudEvent, CommentEvent

__all__ = ["ErasureRow", "Erasures"]


class ErasureRow(Struct, frozen=True, kw_only=True):
    """A row of the table `erasures`. Without `comment_id` the whole portal was erased."""

    erasure_id: str
    member_id: str
    comment_id: int | None
    erased_at: datetime
    rows_erased: int


class Erasures:
    """Says what is erased, by its portal and comment: what it costs does not grow with the rows."""

    def __init__(self, rows: Iterable[ErasureRow] = ()) -> None:
        self._until: dict[tuple[str, int | None], datetime] = {}
        for row in rows:
            subject = (row.member_id, row.comment_id)
            self._until[subject] = max(row.erased_at, self._until.get(subject, row.erased_at))

    def covers(self, event: CloudEvent) -> bool:
        """Whether this event was received before it was erased."""
        member_id = event.source.rpartition(":")[2]
        subjects: list[tuple[str, int | None]] = [(member_id, None)]
        if isinstance(event, CommentEvent):
            subjects = [
                (event.data.member_id, None),
                (event.data.member_id, event.data.comment_id),
            ]
        received = event.received_at
        return any(
            until is not None and received <= until for until in map(self._until.get, subjects)
        )

    def without(self, events: pa.Table) -> pa.Table:
        """The rows of `comment_events`, or of `events`, that no erasure covers."""
        if not self._until:
            return events
        columns = [name for name in ("member_id", "comment_id") if name in events.column_names]
        found = events.select(columns).group_by(columns).aggregate([]).to_pylist()
        subjects = {(one["member_id"], one.get("comment_id")) for one in found}
        subjects |= {(member_id, None) for member_id, _ in subjects}
        for member_id, comment_id in subjects & self._until.keys():
            until = pa.scalar(self._until[member_id, comment_id], pa.timestamp("us", "UTC"))
            is_erased = pc.and_(
                pc.equal(events["member_id"], member_id),
                pc.less_equal(events["received_at"], until),
            )
            if comment_id is not None:
                is_erased = pc.and_(is_erased, pc.equal(events["comment_id"], comment_id))
            events = events.filter(pc.invert(is_erased))
        return events
