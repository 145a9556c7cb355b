"""Shows an entry of a stream to a person, and decides which entries are wanted; no I/O."""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.contract import (
    EVENT_FIELD,
    AppEvent,
    CommentEvent,
    EntityEvent,
    Event,
    EventSelection,
    InvalidEvent,
    OtherEvent,
    Streams,
    decode_event,
)
from gateway.terminal import json_line, printable

__all__ = ["ReadEntry", "as_json", "as_line", "entry_of", "is_meant", "keys_of", "portal_names"]

_LONGEST_TEXT: Final = 80
_NAMES: Final = ("title", "name", "subject")


class ReadEntry(Struct, frozen=True, kw_only=True):
    """An entry as it was read. `event` is None if its field is missing or not an event."""

    stream: str
    id: str
    fields: Mapping[bytes, bytes]
    event: Event | None


def is_meant(entry: ReadEntry, wanted: EventSelection) -> bool:
    """Whether an entry is wanted. One that is no event only is if nothing is asked for."""
    return wanted.is_everything if entry.event is None else wanted.has(entry.event)


def keys_of(stream: str, streams: Streams) -> tuple[str, ...]:
    """The keys of `events`, `comments` or `dead:<group>`; raises ValueError for another name."""
    match stream.split(":"):
        case ["events" | "comments"]:
            return streams.keys(stream)
        case ["dead", group] if group:
            return tuple(streams.dead(group, partition) for partition in streams.numbers)
    raise ValueError(f"{stream}: must be events, comments or dead:<group>")


def entry_of(stream: str, entry_id: str, fields: Mapping[bytes, bytes]) -> ReadEntry:
    """An entry from what Redis says of it."""
    try:
        event = decode_event(fields.get(EVENT_FIELD, b""))
    except InvalidEvent:
        event = None
    return ReadEntry(stream=stream, id=entry_id, fields=fields, event=event)


def as_line(entry: ReadEntry) -> str:
    """One line for people, without control characters."""
    words = [*_event_words(entry), f"entry {entry.id}"]
    if b"failed_at" in entry.fields:
        text = _text_of(entry)
        words.append(
            f"dead in {text.get('group')} after {text.get('attempts')} attempts: "
            f"{text.get('reason')}: {text.get('error')}"
        )
    return printable("  ".join(words))


def as_json(entry: ReadEntry) -> str:
    """One line of JSON: `stream`, `entry_id`, `event`, and the other fields if there are any.

    `event` is null where the field is not an event; the field is then shown as `raw`.
    """
    told: dict[str, Any] = {"stream": entry.stream, "entry_id": entry.id, "event": entry.event}
    if entry.event is None:
        told["raw"] = entry.fields.get(EVENT_FIELD, b"").decode(errors="replace")
    if others := _text_of(entry):
        told["fields"] = others
    try:
        return json_line(told)
    except RecursionError:  # it is nested so deeply that it could just be read
        return as_json(replace(entry, event=None))


def portal_names(
    event: Event,
) -> tuple[str, str | None]:
    """The member id and the domain of the portal that an event is of, as far as it says so."""
    if isinstance(event, OtherEvent):
        return event.source.rpartition(":")[2], None
    return event.data.member_id, event.data.domain or None


def _text_of(entry: ReadEntry) -> dict[str, str]:
    """The fields beside the event, whoever wrote them."""
    return {
        name.decode(errors="replace"): value.decode(errors="replace")
        for name, value in entry.fields.items()
        if name != EVENT_FIELD
    }


def _event_words(entry: ReadEntry) -> list[str]:
    event = entry.event
    if event is None:
        return ["not an event"]
    # The gateway's clock; to the millisecond, without the zone, which is always UTC.
    words = [event.receivedat[11:23], _short(event.type), event.subject]
    if not isinstance(event, OtherEvent):
        words.append(event.data.domain or event.data.member_id)
    if isinstance(event, CommentEvent | EntityEvent | AppEvent) and event.data.user_id is not None:
        words.append(f"user {event.data.user_id}")
    if isinstance(event, CommentEvent) and event.data.comment:
        comment = event.data.comment
        words.append(_as_it_was(comment.state, comment.text_plain or comment.text or ""))
    if isinstance(event, EntityEvent) and event.data.object:
        words.append(_as_it_was(event.data.object.state, _name_in(event.data.object.fields)))
    return [*words, event.id]


def _as_it_was(state: str, text: str) -> str:
    """What was fetched: its state, and the beginning of what it says."""
    cut = text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"
    return f"{state} {cut!r}" if cut else state


def _name_in(fields: Mapping[str, Any]) -> str:
    """What people call an object with these fields, whose names methods spell in several ways."""
    named = {name.lower(): value for name, value in fields.items()}
    return next((str(named[name]) for name in _NAMES if named.get(name)), "")


def _short(event_type: str) -> str:
    return event_type.removeprefix("bitrix24.").removeprefix("crm.timeline.")
