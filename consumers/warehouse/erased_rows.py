"""Says which events concern what was erased on request. Does no I/O."""

from collections.abc import Iterable
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from gateway.contract import COMMENT_SUBJECT, CloudEvent, EventSubject

__all__ = ["ErasureRow", "Erasures"]

_OTHER = 0
"""Stands for a comment's id where something else was erased: releases that know of comments alone
would take none for the whole portal."""


class ErasureRow(Struct, frozen=True, kw_only=True):
    """A row of the table `erasures`. Without `comment_id` the whole portal was erased."""

    erasure_id: str
    member_id: str
    comment_id: int | None
    erased_at: datetime
    rows_erased: int
    subject: str | None = None

    @classmethod
    def of(
        cls,
        member_id: str,
        about: EventSubject | None,
        *,
        erasure_id: str,
        now: datetime,
        rows: int,
    ) -> "ErasureRow":
        """The row about an erasure of all of a portal, or of one subject of it."""
        comment_id: int | None = None
        if about is not None:
            is_comment = about.kind == COMMENT_SUBJECT and isinstance(about.id, int)
            comment_id = int(about.id or 0) if is_comment else _OTHER
        return cls(
            erasure_id=erasure_id,
            member_id=member_id,
            comment_id=comment_id,
            erased_at=now,
            rows_erased=rows,
            subject=str(about) if comment_id == _OTHER else None,
        )

    @property
    def about(self) -> EventSubject | None:
        """What was erased of the portal; None for all of it."""
        if self.subject is not None:
            return EventSubject.parse(self.subject)
        return None if self.comment_id is None else EventSubject.of_comment(self.comment_id)


class Erasures:
    """Says what is erased, by its portal and subject: what it costs does not grow with the rows."""

    def __init__(self, rows: Iterable[ErasureRow] = ()) -> None:
        self._until: dict[tuple[str, str | None], datetime] = {}
        for row in rows:
            key = (row.member_id, None if row.about is None else str(row.about))
            self._until[key] = max(row.erased_at, self._until.get(key, row.erased_at))

    def covers(self, event: CloudEvent) -> bool:
        """Whether this event was received before it was erased."""
        member_id = event.source.rpartition(":")[2]
        received = event.received_at
        return any(
            until is not None and received <= until
            for until in (
                self._until.get((member_id, None)),
                self._until.get((member_id, event.subject)),
            )
        )

    def without(self, events: pa.Table) -> pa.Table:
        """The rows of `comment_events`, or of `events`, that no erasure covers."""
        if not self._until:
            return events
        subjects = _subjects_of(events)
        pairs = pa.table({"portal": events["member_id"], "subject": subjects})
        distinct = pairs.group_by(["portal", "subject"]).aggregate([]).to_pylist()
        found = {(one["portal"], one["subject"]) for one in distinct}
        found |= {(member_id, None) for member_id, _ in found}
        keep = None
        for member_id, subject in found & self._until.keys():
            until = pa.scalar(self._until[member_id, subject], pa.timestamp("us", "UTC"))
            is_erased = pc.and_(
                pc.equal(events["member_id"], member_id),
                pc.less_equal(events["received_at"], until),
            )
            if subject is not None:
                is_erased = pc.and_(is_erased, pc.equal(subjects, subject))
            stays = pc.invert(is_erased)
            keep = stays if keep is None else pc.and_(keep, stays)
        return events if keep is None else events.filter(keep)


def _subjects_of(events: pa.Table) -> pa.ChunkedArray:
    """What each row is about, as `deal/77`."""
    if "comment_id" in events.column_names:
        ids = events["comment_id"].cast(pa.string())
        return pc.binary_join_element_wise(COMMENT_SUBJECT, ids, "/")
    return pc.binary_join_element_wise(
        events["subject_kind"], pc.coalesce(events["subject_id"], ""), "/"
    )
