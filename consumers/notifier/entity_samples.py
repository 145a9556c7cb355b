"""Makes up events of what portals have beside comments, to try templates on."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import UNSET

from gateway.contract import (
    APP_SUBJECT,
    COMMENT_SUBJECT,
    ENTITY_TYPE_ID,
    EVENT_TYPES,
    EntityData,
    EntityEvent,
    EventSubject,
    EventType,
    FetchedObject,
    source_of,
)

__all__ = ["entity_events"]

_ID: Final = "01936b2e-0000-7000-8000-000000000000"
_MEMBER: Final = "0123456789abcdef0123456789abcdef"
_TIME: Final = "2025-12-18T08:18:53Z"
_SMART_PROCESS: Final = re.compile(r"^bitrix24\.crm\.item\.(\d{1,9})\.")
_ANY_SMART_PROCESS: Final = "1032"

_DEAL: Final = {
    "id": 77,
    "title": "Ninety desks for the *new* office",
    "stageId": "PREPARATION",
    "opportunity": 5200,
    "currencyId": "EUR",
    "assignedById": 8,
    "createdBy": 7,
    "comments": "",
}
_DEAL_BY_OLDER_NAMES: Final = {
    "ID": "77",
    "TITLE": "Ninety desks",
    "STAGE_ID": "PREPARATION",
    "OPPORTUNITY": "5200.00",
    "CURRENCY_ID": "EUR",
    "ASSIGNED_BY_ID": "8",
}
_TASK: Final = {
    "id": "5",
    "title": "Send the offer",
    "description": "With the [b]new[/b] prices, to [user=7]Anna[/user].\nBy Friday.",
    "status": "3",
    "responsibleId": "8",
    "createdBy": "7",
    "deadline": "2025-12-19T19:00:00+01:00",
}


def entity_events(
    patterns: Sequence[str] = (), rows: Sequence[EventType] = EVENT_TYPES
) -> Iterator[tuple[str, EntityEvent]]:
    """Each sample's name, and its event: one of each row, and of deals and tasks all outcomes.

    Smart processes have the numbers that these patterns of types name.
    """
    deal = "bitrix24.crm.deal.updated"
    yield "a deal", _event(deal, "deal/77", _present(_DEAL))
    yield "a deal by older names", _event(deal, "deal/77", _present(_DEAL_BY_OLDER_NAMES))
    hidden = FetchedObject(state="unavailable", reason="access_denied")
    yield "a deal that cannot be seen", _event(deal, "deal/77", hidden)
    last_known = {"id": 77, "stageId": "LOSE", "assignedById": 8}
    gone = FetchedObject(state="deleted", fields=last_known)
    yield "a deal's end", _event("bitrix24.crm.deal.deleted", "deal/77", gone)
    yield "a task", _event("bitrix24.task.updated", "task/5", _present(_TASK))
    yield "a new task", _event("bitrix24.task.added", "task/5", _present(_TASK))
    nothing = FetchedObject(state="unavailable", reason="absent_or_denied")
    yield "a task that cannot be seen", _event("bitrix24.task.updated", "task/5", nothing)
    numbers = {found[1] for one in patterns if (found := _SMART_PROCESS.match(one))}
    for row in rows:
        if row.subject_kind in {COMMENT_SUBJECT, APP_SUBJECT}:
            continue
        which = sorted(numbers) if ENTITY_TYPE_ID in row.type else []
        for number in which or [_ANY_SMART_PROCESS]:
            yield row.short_name, _plain(row, number)


def _plain(row: EventType, entity_type_id: str) -> EntityEvent:
    kind = row.subject_kind.replace(ENTITY_TYPE_ID, entity_type_id)
    subject = EventSubject(kind, 77 if row.id_places else None)
    return _event(row.type.replace(ENTITY_TYPE_ID, entity_type_id), str(subject), None)


def _present(fields: dict[str, Any]) -> FetchedObject:
    return FetchedObject(state="present", fields=fields, fetched_at=_TIME)


def _event(event_type: str, subject: str, found: FetchedObject | None) -> EntityEvent:
    return EntityEvent(
        id=_ID,
        source=source_of(_MEMBER),
        type=event_type,
        subject=subject,
        time=_TIME,
        receivedat=_TIME,
        data=EntityData(
            member_id=_MEMBER,
            domain="acme.bitrix24.com",
            user_id=7,
            fields={"FIELDS": {"ID": subject.partition("/")[2]}},
            object=UNSET if found is None else found,
        ),
    )
