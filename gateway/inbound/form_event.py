"""Makes the event that a form tells of, with everything in it that may be stored, and nothing else.

Which fields there are, what each really looks like, and which of them may be missing, differs
between applications, webhooks, robots and versions:
https://apidocs.bitrix24.com/api-reference/events/index.html
"""

import re
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, TypeAlias

from msgspec import UNSET, Struct

from gateway.contract import (
    APP_SUBJECT,
    APP_TESTED,
    COMMENT_SUBJECT,
    AppData,
    AppEvent,
    CommentData,
    CommentEvent,
    EntityData,
    EntityEvent,
    EventSubject,
    EventType,
    source_of,
    timestamps,
)
from gateway.event_subscription import EventSubscription
from gateway.inbound.entity_reading import EntityReader
from gateway.inbound.errors import Malformed
from gateway.inbound.form_fields import FIELD_PLACES, FormFields
from gateway.php_numbers import integer_of

__all__ = ["Admitted", "EventReader"]

_TEST_ID: Final = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_EARLIEST_S: Final = 1_325_376_000
# 2012, the year in which Bitrix24 began.
_MAX_AHEAD_S: Final = 86_400
# Clocks are wrong by hours, where a zone is, and not by days.

_Reader: TypeAlias = Callable[[FormFields], str | None]


class Admitted(Struct, frozen=True, gc=False):
    """A genuine event that is to be stored; `subject` is the event's, taken apart.

    `name` is Bitrix24's, as the event's type is subscribed by it. `lacks_id`: the form says nothing
    usable of what it is about; the subject is then of its kind alone. `left_out` counts the values
    under `data` that are not stored, or not as they were, for they could be keys or are too much.
    """

    event: CommentEvent | AppEvent | EntityEvent
    member_id: str
    subject: EventSubject
    name: str = ""
    lacks_id: bool = False
    left_out: int = 0


class _Row(Struct, frozen=True):
    """An event that is taken, made ready to read forms with."""

    name: str
    type: Any
    """A CommentType or an AppType where the subject is of such a kind."""
    subject_kind: str
    id_readers: tuple[_Reader, ...]
    """Of comments."""
    entity: EntityReader | None


def _ready(event_type: EventType) -> _Row:
    kind = event_type.subject_kind
    names = {place: name for name, place in FIELD_PLACES.items()}
    readers = event_type.id_places if kind == COMMENT_SUBJECT else ()
    return _Row(
        event_type.wire_name,
        event_type.type,
        kind,
        tuple(attrgetter(names[place]) for place in readers),
        None if kind in {COMMENT_SUBJECT, APP_SUBJECT} else EntityReader(event_type),
    )


class EventReader:
    """Makes events of forms, of those that are subscribed to. Pure."""

    def __init__(self, subscription: EventSubscription) -> None:
        self._rows = {row.wire_name: _ready(row) for row in subscription.rows}

    def admitted_event(
        self,
        fields: FormFields,
        wire_name: str,
        *,
        member_id: str,
        domain: str,
        receipt_id: str,
        received_ms: int,
    ) -> Admitted | None:
        """What a form tells of the event of this name; None if no such event is taken.

        Raises Malformed if the id of a comment is missing or no positive number. Any other event
        is told of all the same.
        """
        row, number = self._rows.get(wire_name), None
        if row is None:
            row, number = self._numbered(wire_name)
            if row is None:
                return None
        time = _time(fields.ts, received_ms)
        if row.id_readers:
            text = None
            for read in row.id_readers:
                if text := read(fields):
                    break
            comment_id = integer_of(text)
            if comment_id is None:
                raise Malformed("bad_id" if text else "no_id")
            event = CommentEvent(
                id=receipt_id,
                source=source_of(member_id),
                type=row.type,
                subject=f"{COMMENT_SUBJECT}/{text}",
                time=time,
                receivedat=timestamps.milliseconds(received_ms),
                data=CommentData(
                    comment_id=comment_id,
                    member_id=member_id,
                    domain=domain,
                    user_id=_recurring(fields.user_id),
                    event_handler_id=_recurring(fields.event_handler_id),
                ),
            )
            return Admitted(event, member_id, EventSubject(COMMENT_SUBJECT, comment_id), row.name)
        return _not_of_a_comment(
            row,
            number,
            fields,
            time=time,
            member_id=member_id,
            domain=domain,
            receipt_id=receipt_id,
            received_ms=received_ms,
        )

    def _numbered(self, wire_name: str) -> tuple[_Row | None, int | None]:
        """The row of an event that is sent by its second name, and the number in that:
        `ONCRMDYNAMICITEMUPDATE_1036`.
        """
        name, _, digits = wire_name.rpartition("_")
        row, number = self._rows.get(name), integer_of(digits)
        if row is None or row.entity is None or not row.entity.is_numbered or number is None:
            return None, None
        return row, number


def _not_of_a_comment(
    row: _Row,
    number: int | None,
    fields: FormFields,
    *,
    time: str,
    member_id: str,
    domain: str,
    receipt_id: str,
    received_ms: int,
) -> Admitted:
    source, receivedat = source_of(member_id), timestamps.milliseconds(received_ms)
    user_id, handler_id = _recurring(fields.user_id), _recurring(fields.event_handler_id)
    if row.entity is None:
        app_event = AppEvent(
            id=receipt_id,
            source=source,
            type=row.type,
            subject=APP_SUBJECT,
            time=time,
            receivedat=receivedat,
            data=AppData(
                member_id=member_id,
                domain=domain,
                user_id=user_id,
                event_handler_id=handler_id,
                clean=fields.clean == "1",
                test=_test_id(fields.canary) if row.type == APP_TESTED else UNSET,
            ),
        )
        return Admitted(app_event, member_id, EventSubject(APP_SUBJECT), row.name)
    entity = row.entity.read_form(fields, number)
    event = EntityEvent(
        id=receipt_id,
        source=source,
        type=entity.type,
        subject=str(entity.subject),
        time=time,
        receivedat=receivedat,
        data=EntityData(
            member_id=member_id,
            domain=domain,
            fields=entity.fields,
            user_id=user_id,
            event_handler_id=handler_id,
        ),
    )
    return Admitted(
        event,
        member_id,
        entity.subject,
        row.name,
        lacks_id=entity.lacks_id,
        left_out=entity.left_out,
    )


def _test_id(text: str | None) -> str | None:
    return text if text and _TEST_ID.fullmatch(text) else None


_recurring: Final = lru_cache(maxsize=1024)(integer_of)
# The same few users and handlers come again and again, and reading a number costs 0.3 µs.


def _time(ts: str | None, received_ms: int) -> str:
    """Bitrix24's clock, which is informational; the time of receipt where it cannot be believed.

    Nobody drops an event because of it, and no consumer has to reckon with the year 9999.
    """
    received_s = received_ms // 1000
    seconds = integer_of(ts)
    if seconds is None or not _EARLIEST_S <= seconds <= received_s + _MAX_AHEAD_S:
        seconds = received_s
    return timestamps.seconds(seconds)
