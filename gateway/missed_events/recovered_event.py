"""Makes the event that something missed becomes. Pure."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, cast
from uuid import UUID

from gateway.contract import (
    COMMENT_SUBJECT,
    CommentData,
    CommentEvent,
    CommentType,
    EntityData,
    EntityEvent,
    EventSubject,
    source_of,
    timestamps,
)
from gateway.portals.directory import Portal

__all__ = ["recovered_event", "recovered_id"]


def recovered_event(
    event_id: str,
    event_type: str,
    subject: EventSubject,
    portal: Portal,
    *,
    happened_at: float,
    found_at: datetime,
    user_id: int | None = None,
    fields: Mapping[str, Any] | None = None,
) -> CommentEvent | EntityEvent:
    """The event, marked as recovered; `happened_at` is in Unix seconds. A comment has no `fields`.

    Raises ValueError for a comment without a number.
    """
    source, time = source_of(portal.member_id), timestamps.seconds(happened_at)
    receivedat = timestamps.milliseconds_of(found_at)
    if subject.kind == COMMENT_SUBJECT:
        if not isinstance(subject.id, int):
            raise ValueError(f"{subject}: the number is missing")
        return CommentEvent(
            id=event_id,
            source=source,
            type=cast("CommentType", event_type),
            subject=str(subject),
            time=time,
            receivedat=receivedat,
            recovered=True,
            data=CommentData(
                comment_id=subject.id,
                member_id=portal.member_id,
                domain=portal.domain,
                user_id=user_id,
            ),
        )
    return EntityEvent(
        id=event_id,
        source=source,
        type=event_type,
        subject=str(subject),
        time=time,
        receivedat=receivedat,
        recovered=True,
        data=EntityData(
            member_id=portal.member_id,
            domain=portal.domain,
            fields=dict(fields or {}),
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
