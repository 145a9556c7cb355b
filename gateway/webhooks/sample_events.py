"""Makes up an event that an endpoint would get, to try it before real ones come."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from uuid_utils import uuid7

from gateway.contract import (
    ENTITY_TYPE_ID,
    EVENT_TYPES,
    AppData,
    AppEvent,
    Comment,
    CommentData,
    CommentEvent,
    EntityData,
    EntityEvent,
    Event,
    EventType,
    source_of,
    timestamps,
)
from gateway.errors import OperatorError

__all__ = ["sample_event"]

_PORTAL: Final = "5a4db0c5000000000000000000000000"
_DOMAIN: Final = "sandbox.bitrix24.example"
_SMART_PROCESS: Final = "1220"


def sample_event(
    takes: Callable[[Event], bool], *, portals: tuple[str, ...] = (), event_type: str | None = None
) -> Event:
    """An event as of now: of `event_type`, or else of the first of all types that is taken, those
    of comments before others.

    Of the first of `portals`, if there are any, else of one that does not exist. Raises
    OperatorError for a type that is not known, and if none of all is taken.
    """
    for row in sorted(EVENT_TYPES, key=lambda one: one.subject_kind != "comment"):
        event = _of(row, *((portals[0],) * 2 if portals else (_PORTAL, _DOMAIN)))
        if event_type is None and takes(event):
            return event
        if event_type is not None and event_type in {event.type, row.short_name}:
            return event
    if event_type is not None:
        raise OperatorError(f"no event is of the type {event_type}: gateway events list")
    raise OperatorError("no event of Bitrix24 is of a type that the endpoint takes")


def _of(row: EventType, member_id: str, domain: str) -> Event:
    now = datetime.now(UTC)
    received: dict[str, Any] = {
        "id": str(uuid7()),
        "source": source_of(member_id),
        "time": timestamps.seconds_of(now),
        "receivedat": timestamps.milliseconds_of(now),
    }
    kind = row.subject_kind.replace(ENTITY_TYPE_ID, _SMART_PROCESS)
    event_type = row.type.replace(ENTITY_TYPE_ID, _SMART_PROCESS)
    match kind:
        case "app":
            return AppEvent(
                **received,
                type=event_type,  # type: ignore[arg-type]
                subject=kind,
                data=AppData(member_id=member_id, domain=domain),
            )
        case "comment":
            text = "A sample, to see what arrives"
            return CommentEvent(
                **received,
                type=event_type,  # type: ignore[arg-type]
                subject="comment/999",
                data=CommentData(
                    comment_id=999,
                    member_id=member_id,
                    domain=domain,
                    comment=Comment(state="present", text=text, text_plain=text),
                ),
            )
        case _:
            return EntityEvent(
                **received,
                type=event_type,
                subject=f"{kind}/77",
                data=EntityData(
                    member_id=member_id, domain=domain, fields={"FIELDS": {"ID": "77"}}
                ),
            )
