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
    EVENT_TYPES,
    AppData,
    AppEvent,
    CommentData,
    CommentEvent,
    EventSubject,
    EventType,
    OtherEvent,
    source_of,
    timestamps,
)
from gateway.inbound.errors import Malformed
from gateway.inbound.form_fields import FIELD_PLACES, FormFields
from gateway.php_numbers import integer_of

__all__ = ["Admitted", "admitted_event"]

_TEST_ID: Final = re.compile(r"[0-9A-Za-z_.:-]{1,64}")
_EARLIEST_S: Final = 1_325_376_000
# 2012, the year in which Bitrix24 began.
_MAX_AHEAD_S: Final = 86_400
# Clocks are wrong by hours, where a zone is, and not by days.

_Reader: TypeAlias = Callable[[FormFields], str | None]


class Admitted(Struct, frozen=True, gc=False):
    """A genuine event that is to be stored; `subject` is the event's, taken apart."""

    event: CommentEvent | AppEvent | OtherEvent
    member_id: str
    subject: EventSubject


class _Row(Struct, frozen=True):
    """A row of the table of event types, made ready to read forms with."""

    type: Any
    """A CommentType or an AppType where the subject is of such a kind."""
    subject_kind: str
    id_readers: tuple[_Reader, ...]


def _ready(event_type: EventType) -> _Row:
    names = {place: name for name, place in FIELD_PLACES.items()}
    return _Row(
        event_type.type,
        event_type.subject_kind,
        tuple(attrgetter(names[place]) for place in event_type.id_places),
    )


_ROWS: Final = {event_type.wire_name: _ready(event_type) for event_type in EVENT_TYPES}


def admitted_event(
    fields: FormFields,
    wire_name: str,
    *,
    member_id: str,
    domain: str,
    receipt_id: str,
    received_ms: int,
) -> Admitted | None:
    """What a form tells of the event of this name; None if no such event is taken.

    Raises Malformed if the subject's id is missing or no positive number.
    """
    row = _ROWS.get(wire_name)
    if row is None:
        return None
    text = None
    for read in row.id_readers:
        if text := read(fields):
            break
    subject_id = integer_of(text)
    if subject_id is None and row.id_readers:
        raise Malformed("bad_id" if text else "no_id")
    time = _time(fields.ts, received_ms)
    event: CommentEvent | AppEvent | OtherEvent
    if row.subject_kind == COMMENT_SUBJECT and subject_id is not None:
        event = CommentEvent(
            id=receipt_id,
            source=source_of(member_id),
            type=row.type,
            subject=f"{COMMENT_SUBJECT}/{text}",
            time=time,
            receivedat=timestamps.milliseconds(received_ms),
            data=CommentData(
                comment_id=subject_id,
                member_id=member_id,
                domain=domain,
                user_id=_recurring(fields.user_id),
                event_handler_id=_recurring(fields.event_handler_id),
            ),
        )
    else:
        envelope = {
            "id": receipt_id,
            "source": source_of(member_id),
            "time": time,
            "receivedat": timestamps.milliseconds(received_ms),
        }
        about = {"member_id": member_id, "domain": domain}
        event = _not_of_a_comment(row, text, fields, envelope, about)
    return Admitted(event, member_id, EventSubject(row.subject_kind, subject_id))


def _not_of_a_comment(
    row: _Row, text: str | None, fields: FormFields, envelope: dict[str, Any], about: dict[str, Any]
) -> AppEvent | OtherEvent:
    about["user_id"] = _recurring(fields.user_id)
    about["event_handler_id"] = _recurring(fields.event_handler_id)
    if row.subject_kind != APP_SUBJECT:  # of which no more is known than what every form has
        subject = f"{row.subject_kind}/{text}"
        return OtherEvent(type=row.type, subject=subject, data=about, **envelope)
    data = AppData(
        clean=fields.clean == "1",
        test=_test_id(fields.canary) if row.type == APP_TESTED else UNSET,
        **about,
    )
    return AppEvent(type=row.type, subject=APP_SUBJECT, data=data, **envelope)


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
