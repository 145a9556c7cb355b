"""Reads and writes an event as the JSON that stands on the streams."""

from datetime import datetime
from typing import Any, Final, TypeAlias, get_args

import msgspec
from msgspec import Struct

from gateway.contract.entity_events import EntityEvent
from gateway.contract.events import (
    AppEvent,
    AppType,
    CloudEvent,
    CommentEvent,
    CommentType,
    OtherEvent,
    PortalEvent,
    PortalType,
)

__all__ = ["Event", "InvalidEvent", "decode_event", "encode_event"]


Event: TypeAlias = CommentEvent | AppEvent | PortalEvent | EntityEvent | OtherEvent
"""An event of a stream, by the class that describes its type."""


class InvalidEvent(ValueError):
    """The bytes are not an event of this contract; trying again cannot help."""


class _Typed(Struct):
    type: str


_typed = msgspec.json.Decoder(_Typed)
_other = msgspec.json.Decoder(OtherEvent)
_entity = msgspec.json.Decoder(EntityEvent)
_comment = msgspec.json.Decoder(CommentEvent)
_app = msgspec.json.Decoder(AppEvent)
_portal = msgspec.json.Decoder(PortalEvent)
_decoders: dict[str, msgspec.json.Decoder[Any]] = {
    **dict.fromkeys(get_args(CommentType), _comment),
    **dict.fromkeys(get_args(AppType), _app),
    **dict.fromkeys(get_args(PortalType), _portal),
}
_COMMENT: Final = b'"type":"bitrix24.crm.timeline.comment.'
_encoder = msgspec.json.Encoder()
_moment = datetime.fromisoformat


def decode_event(raw: bytes) -> Event:
    """Read the `event` field of a stream entry.

    Raises InvalidEvent for anything that is not a CloudEvent of this contract, and for nothing
    else: also for times that cannot be read, and for JSON that is nested deeper than Python goes.
    """
    try:
        event = _decoded(raw)
        has_zones = _moment(event.receivedat).tzinfo and _moment(event.time).tzinfo
    except RecursionError as error:
        raise InvalidEvent("nested too deeply") from error
    except ValueError as error:  # not JSON, not this contract, not a time
        raise InvalidEvent(str(error)) from error
    if not has_zones:
        raise InvalidEvent("a time without an offset from UTC")
    return event


def _decoded(raw: bytes) -> Event:
    """The event, by the class of its type."""
    # Nearly all are about comments: what looks like one is read once instead of twice. Only what
    # has one of their types can be read as one, so a wrong guess costs time and nothing else.
    # (A part of a larger message is a view, of which nobody can ask what is in it.)
    if type(raw) is bytes and _COMMENT in raw:
        try:
            return _comment.decode(raw)
        except msgspec.ValidationError:
            return _of_its_type(raw)
    return _of_its_type(raw)


def _of_its_type(raw: bytes) -> Event:
    decoder = _decoders.get(_typed.decode(raw).type)
    if decoder is not None:
        event: Event = decoder.decode(raw)
        return event
    # Which types there are depends on the catalogue and the settings of whoever published it:
    # what tells of a portal's entity is known by its data.
    try:
        return _entity.decode(raw)
    except msgspec.ValidationError:
        return _other.decode(raw)


def encode_event(event: CloudEvent) -> bytes:
    """Write an event as the `event` field of a stream entry."""
    return _encoder.encode(event)
