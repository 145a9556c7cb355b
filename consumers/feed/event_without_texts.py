"""Writes an event without what people wrote, for tokens that are not to see it. Pure.

By a list of what may stay: what a later version adds to an event is left out until it is listed.
"""

from typing import Any, Final

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from gateway.contract import (
    AppEvent,
    CloudEvent,
    Comment,
    CommentEvent,
    EntityEvent,
    FetchedObject,
    PortalEvent,
    decode_event,
    encode_event,
)

__all__ = ["without_texts"]

_KEPT: Final = ("member_id", "domain", "user_id", "event_handler_id")
"""Of the data of events that this version does not describe."""


def without_texts(raw: bytes) -> bytes:
    """The JSON of an event without texts and files of comments, `fields` and `object`.

    What was fetched keeps its state, ids, times and hash. Raises InvalidEvent.
    """
    event = decode_event(raw)
    if isinstance(event, CommentEvent):
        if event.data.comment is UNSET:
            return encode_event(event)
        data = replace(event.data, comment=_reduced(event.data.comment))
        return encode_event(replace(event, data=data))
    if isinstance(event, EntityEvent):
        found = event.data.object
        data_of_entity = replace(
            event.data, fields={}, object=UNSET if found is UNSET else _reduced_object(found)
        )
        return encode_event(replace(event, data=data_of_entity))
    if isinstance(event, AppEvent | PortalEvent):
        return encode_event(event)
    return _other(event)


def _reduced(comment: Comment) -> Comment:
    return Comment(
        state=comment.state,
        author_id=comment.author_id,
        entity_type=comment.entity_type,
        entity_id=comment.entity_id,
        created_at=comment.created_at,
        fetched_at=comment.fetched_at,
        content_hash=comment.content_hash,
        reason=comment.reason,
    )


def _reduced_object(found: FetchedObject) -> FetchedObject:
    return FetchedObject(
        state=found.state,
        fetched_at=found.fetched_at,
        content_hash=found.content_hash,
        reason=found.reason,
    )


def _other(event: CloudEvent) -> bytes:
    written: dict[str, Any] = msgspec.to_builtins(event)
    data = written["data"]
    plain = str | int | None
    kept = {key: data[key] for key in _KEPT if key in data and isinstance(data[key], plain)}
    return msgspec.json.encode({**written, "data": kept})
