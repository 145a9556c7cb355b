"""Says what templates are told of the subject of an event: of a deal, a task, whatever it is. Pure.

Portals spell fields in two ways, as the method has it: `stageId` and `STAGE_ID`. What the default
templates show is found by either.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from consumers.notifier.bbcode_text import BBCode
from gateway.bitrix24.shortening import cut, shortened
from gateway.contract import EntityEvent, EventSubject, FetchedObject, OtherEvent

__all__ = ["entity_of", "page_of"]

_MAX_NAME_CHARS: Final = 200
_PAGES: Final = {
    "lead": "crm/lead/details",
    "deal": "crm/deal/details",
    "contact": "crm/contact/details",
    "company": "crm/company/details",
    "quote": "crm/type/7/details",
    "smart_invoice": "crm/type/31/details",
    "order": "shop/orders/details",
    "user": "company/personal/user",
    "workgroup": "workgroups/group",
}
_NAMES: Final = ("title", "subject", "fullname")
_OWN_NAMES: Final = ("name", "secondname", "lastname")


def entity_of(
    event: EntityEvent | OtherEvent, domain: str, zone: ZoneInfo, max_text: int | None
) -> dict[str, Any]:
    """What a template is told of the subject; docs/notifier.md lists it. Does not raise.

    Of its text, a template is told at most so many characters.
    """
    subject = _subject_of(event.subject)
    found = event.data.object if isinstance(event, EntityEvent) else None
    known = found if isinstance(found, FetchedObject) else None
    fields = known.fields if known is not None else {}
    said = _Fields(fields)
    text = said.text("description") if subject.kind == "task" else ""
    responsible_id = said.number("assignedbyid") or said.number("responsibleid")
    user_id = event.data.user_id if isinstance(event, EntityEvent) else None
    return {
        "kind": subject.kind,
        "id": subject.id,
        "state": known.state if known is not None else None,
        "reason": known.reason if known is not None else None,
        "fields": fields,
        "cut": list(known.cut) if known is not None else [],
        "name": said.name(),
        "text": BBCode(text if max_text is None or not text else shortened(text, max_text)),
        "stage": _stage(said),
        "status": said.number("status") if subject.kind == "task" else None,
        "amount": said.text("opportunity") or None,
        "currency": said.text("currencyid") or None,
        "responsible_id": responsible_id,
        "creator_id": said.number("createdby") or said.number("createdbyid"),
        "deadline": said.moment("deadline", zone),
        "url": _url(domain, subject, responsible_id or user_id),
    }


def page_of(domain: str, entity_type: str | None, entity_id: int | None) -> str | None:
    """The page of an entity in its portal, where the address is known.

    `entity_type` is as comments have it (`dynamic_1032`), or a kind of subject (`item.1032`).
    """
    if not domain or entity_type is None or entity_id is None:
        return None
    page = _PAGES.get(entity_type)
    for prefix in ("dynamic_", "item."):
        if entity_type.startswith(prefix) and entity_type.removeprefix(prefix).isdecimal():
            page = f"crm/type/{entity_type.removeprefix(prefix)}/details"
    return f"https://{domain}/{page}/{entity_id}/" if page else None


def _subject_of(text: str) -> EventSubject:
    try:
        return EventSubject.parse(text)
    except ValueError:
        return EventSubject(text.rstrip("/"))


def _url(domain: str, subject: EventSubject, user_id: int | None) -> str | None:
    """Where a subject is looked at; a task, among those of some user: whose does not matter."""
    if not isinstance(subject.id, int):
        return None
    if subject.kind != "task":
        return page_of(domain, subject.kind, subject.id)
    if not domain or user_id is None:
        return None
    return f"https://{domain}/company/personal/user/{user_id}/tasks/task/view/{subject.id}/"


def _stage(said: "_Fields") -> str | None:
    """The stage; of a task that is on no board it is 0."""
    stage = said.text("stageid") or said.text("statusid")
    return None if stage in ("", "0") else stage


class _Fields:
    """Finds fields by their names without capitals and `_`; they may hold anything."""

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self._values = {name.replace("_", "").lower(): value for name, value in fields.items()}

    def text(self, name: str) -> str:
        value = self._values.get(name)
        return str(value) if isinstance(value, str | int | float) and value != "" else ""

    def number(self, name: str) -> int | None:
        """A whole number above 0, for 0 stands for nobody."""
        text = self.text(name)
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0
        return number or None

    def moment(self, name: str, zone: ZoneInfo) -> datetime | None:
        try:
            moment = datetime.fromisoformat(self.text(name))
            return moment.astimezone(zone) if moment.tzinfo is not None else None
        except (ValueError, OverflowError):
            return None

    def name(self) -> str | None:
        """What people call it, on one line."""
        named = next((text for name in _NAMES if (text := self.text(name))), "")
        named = named or " ".join(text for name in _OWN_NAMES if (text := self.text(name)))
        return cut(" ".join(named.split()), _MAX_NAME_CHARS) or None
