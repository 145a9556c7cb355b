"""Makes rows of `events` out of entries: of all events of a portal that are not about comments.

A pure function to an Arrow table, as event_rows is for those of comments.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
import pyarrow as pa

from consumers.warehouse import event_rows
from consumers.warehouse.event_rows import Loadable, json_text, made
from consumers.warehouse.table_schema import EVENTS
from gateway.contract import (
    CloudEvent,
    CommentEvent,
    EntityEvent,
    EntryId,
    EventSubject,
    FetchedObject,
)

__all__ = ["is_loaded", "tables"]

_PREFIX: Final = "bitrix24."
_COLUMNS: Final = frozenset({"member_id", "domain", "user_id", "event_handler_id", "object"})
"""Parts of an event's data that have a column, or several, of their own."""


def is_loaded(event: CloudEvent) -> bool:
    """Whether an event becomes a row, of whichever table; the gateway's own records do not."""
    return event.type.startswith(_PREFIX)


def tables(entries: Sequence[Loadable], *, loaded_at: datetime) -> tuple[pa.Table, pa.Table]:
    """The rows of `comment_events` and of `events` for these entries.

    One for each event id, the last one given. Raises Unfit for the first event that fits in no row.
    """
    others = {
        entry.event.id: entry
        for entry in entries
        if not isinstance(entry.event, CommentEvent) and is_loaded(entry.event)
    }
    return (
        event_rows.table(entries, loaded_at=loaded_at),
        made(EVENTS, list(map(_values, others.values())), loaded_at=loaded_at),
    )


def _values(entry: Loadable) -> tuple[Any, ...]:
    """A row without `loaded_at`, in the order of the columns."""
    event = entry.event
    data: dict[str, Any] = msgspec.to_builtins(event.data)
    subject = _subject(event.subject)
    entry_id = EntryId.of(entry.id)
    return (
        event.id,
        event.type,
        data.get("member_id") or event.source.rpartition(":")[2],
        data.get("domain"),
        subject.kind,
        None if subject.id is None else str(subject.id),
        data.get("user_id"),
        data.get("event_handler_id"),
        event.time,
        event.receivedat,
        event.recovered is True,
        json_text(_fields(event, data)),
        *_object(event),
        event.traceparent if isinstance(event.traceparent, str) else None,
        entry.stream,
        entry.partition,
        entry_id.ms,
        entry_id.number,
    )


def _fields(event: CloudEvent, data: dict[str, Any]) -> dict[str, Any]:
    """What the event says beside what has columns; of an entity, what Bitrix24's form said."""
    if isinstance(event, EntityEvent):
        return event.data.fields
    return {name: value for name, value in data.items() if name not in _COLUMNS}


def _object(event: CloudEvent) -> tuple[Any, ...]:
    found = event.data.object if isinstance(event, EntityEvent) else None
    if not isinstance(found, FetchedObject):
        return (None,) * 6
    return (
        found.state,
        json_text(found.fields) if found.fields else None,
        found.fetched_at,
        found.content_hash,
        found.reason,
        json_text(found.cut) if found.cut else None,
    )


def _subject(text: str) -> EventSubject:
    try:
        return EventSubject.parse(text)
    except ValueError:
        return EventSubject(text.rstrip("/"))
