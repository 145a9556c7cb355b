"""Events as the gateway writes them, for tests."""

from datetime import UTC, datetime
from typing import Literal

from msgspec import UNSET
from uuid_utils import uuid7

from gateway.contract import Comment, CommentData, CommentEvent, source_of

__all__ = ["comment_event"]


def comment_event(
    comment_id: int,
    change: Literal["added", "updated", "deleted"] = "updated",
    *,
    member_id: str = "portal",
    domain: str = "portal.bitrix24.example",
    user_id: int | None = 1,
    comment: Comment | None = None,
) -> CommentEvent:
    """An event of a comment, received now; with `comment` it is one of the stream `comments`."""
    now = datetime.now(UTC)
    data = CommentData(
        comment_id=comment_id,
        member_id=member_id,
        domain=domain,
        user_id=user_id,
        comment=UNSET if comment is None else comment,
    )
    return CommentEvent(
        id=str(uuid7()),
        source=source_of(member_id),
        type=f"bitrix24.crm.timeline.comment.{change}",  # type: ignore[arg-type]
        subject=f"comment/{comment_id}",
        time=now.isoformat(timespec="seconds").replace("+00:00", "Z"),
        receivedat=now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        data=data,
    )
