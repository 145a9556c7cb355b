"""Makes the event that something missed becomes. Pure."""

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from gateway.contract import (
    CommentData,
    CommentEvent,
    CommentType,
    EventSubject,
    source_of,
    timestamps,
)
from gateway.portals.directory import Portal

__all__ = ["recovered_event", "recovered_id"]


def recovered_event(
    event_id: str,
    event_type: CommentType,
    comment_id: int,
    portal: Portal,
    *,
    happened_at: float,
    found_at: datetime,
    user_id: int | None = None,
) -> CommentEvent:
    """The event, marked as recovered; `happened_at` is in Unix seconds."""
    return CommentEvent(
        id=event_id,
        source=source_of(portal.member_id),
        type=event_type,
        subject=str(EventSubject.of_comment(comment_id)),
        time=timestamps.seconds(happened_at),
        receivedat=timestamps.milliseconds_of(found_at),
        recovered=True,
        data=CommentData(
            comment_id=comment_id,
            member_id=portal.member_id,
            domain=portal.domain,
            user_id=user_id,
        ),
    )


def recovered_id(at: float, *parts: object) -> str:
    """An id that follows from what is given: a UUIDv7 of that time (Unix seconds), whose other bits
    are a digest of the parts instead of chance.

    https://www.rfc-editor.org/rfc/rfc9562.html#name-uuid-version-7
    """
    text = "\n".join(str(part) for part in parts)
    digest = int.from_bytes(sha256(text.encode()).digest()[:10])
    number = (int(at * 1000) & (1 << 48) - 1) << 80 | digest
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=number & ~(0x3 << 62) | 0x2 << 62))
