"""Says which events concern what was erased on request. Does no I/O."""

from collections.abc import Collection
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from gateway.contract import CommentEvent

__all__ = ["ErasureRow", "is_erased", "without"]


class ErasureRow(Struct, frozen=True, kw_only=True):
    """A row of the table `erasures`. Without `comment_id` the whole portal was erased."""

    erasure_id: str
    member_id: str
    comment_id: int | None
    erased_at: datetime
    rows_erased: int


def is_erased(event: CommentEvent, erasures: Collection[ErasureRow]) -> bool:
    """Whether an erasure covers this event."""
    return any(
        event.data.member_id == erasure.member_id
        and erasure.comment_id in {None, event.data.comment_id}
        and event.received_at <= erasure.erased_at
        for erasure in erasures
    )


def without(events: pa.Table, erasures: Collection[ErasureRow]) -> pa.Table:
    """The rows of `comment_events` that no erasure covers."""
    for erasure in erasures:
        is_erased = pc.and_(
            pc.equal(events["member_id"], erasure.member_id),
            pc.less_equal(
                events["received_at"], pa.scalar(erasure.erased_at, pa.timestamp("us", "UTC"))
            ),
        )
        if erasure.comment_id is not None:
            is_erased = pc.and_(is_erased, pc.equal(events["comment_id"], erasure.comment_id))
        events = events.filter(pc.invert(is_erased))
    return events
