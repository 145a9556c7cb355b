"""Makes events as the gateway writes them, for tests."""

from datetime import UTC, datetime
from typing import Any, Literal

from msgspec import UNSET
from uuid_utils import uuid7

from gateway.contract import (
    AppData,
    AppEvent,
    Comment,
    CommentData,
    CommentEvent,
    EntityData,
    EntityEvent,
    FetchedObject,
    PortalData,
    PortalEvent,
    Trouble,
    source_of,
    timestamps,
)

__all__ = ["app_event", "comment_event", "entity_event", "portal_event"]


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
    return CommentEvent(
        **_received_now(member_id),
        type=f"bitrix24.crm.timeline.comment.{change}",  # type: ignore[arg-type]
        subject=f"comment/{comment_id}",
        data=CommentData(
            comment_id=comment_id,
            member_id=member_id,
            domain=domain,
            user_id=user_id,
            comment=UNSET if comment is None else comment,
        ),
    )


def entity_event(
    subject: str = "deal/77",
    type: str = "bitrix24.crm.deal.updated",  # noqa: A002 - the attribute's name
    *,
    member_id: str = "portal",
    domain: str = "portal.bitrix24.example",
    user_id: int | None = 1,
    fields: dict[str, Any] | None = None,
    object: FetchedObject | None = None,  # noqa: A002 - the attribute's name
) -> EntityEvent:
    """An event of a deal, a task, …, received now; with `object` one of the stream `comments`."""
    number = subject.partition("/")[2]
    return EntityEvent(
        **_received_now(member_id),
        type=type,
        subject=subject,
        data=EntityData(
            member_id=member_id,
            domain=domain,
            user_id=user_id,
            fields={"FIELDS": {"ID": number}} if fields is None else fields,
            object=UNSET if object is None else object,
        ),
    )


def app_event(
    change: Literal["installed", "uninstalled", "tested"] = "installed",
    *,
    member_id: str = "portal",
    domain: str = "portal.bitrix24.example",
) -> AppEvent:
    """An event of the application's life in a portal, received now."""
    return AppEvent(
        **_received_now(member_id),
        type=f"bitrix24.app.{change}",  # type: ignore[arg-type]
        subject="app",
        data=AppData(member_id=member_id, domain=domain),
    )


def portal_event(
    trouble: Trouble = "silent",
    *,
    is_over: bool = False,
    member_id: str = "portal",
    domain: str = "portal.bitrix24.example",
) -> PortalEvent:
    """An event of a portal's trouble, which has begun now, or of its end."""
    received = _received_now(member_id)
    return PortalEvent(
        **received,
        type="bitrix24.portal.recovered" if is_over else f"bitrix24.portal.{trouble}",  # type: ignore[arg-type]
        subject="portal",
        data=PortalData(
            member_id=member_id,
            domain=domain,
            trouble=trouble,
            since=received["time"],
            until=received["time"] if is_over else None,
        ),
    )


def _received_now(member_id: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": str(uuid7()),
        "source": source_of(member_id),
        "time": timestamps.seconds_of(now),
        "receivedat": timestamps.milliseconds_of(now),
    }
