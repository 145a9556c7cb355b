"""The published language: what is on the streams and under which names.

A consuming service needs nothing else of the gateway. Nothing here does I/O, and nothing here
imports another part of the project.
"""

from gateway.contract.dead_letters import DeadLetter, Redelivery
from gateway.contract.events import (
    APP_INSTALLED,
    APP_TESTED,
    APP_UNINSTALLED,
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    AppData,
    AppEvent,
    AppType,
    CloudEvent,
    Comment,
    CommentData,
    CommentEvent,
    CommentFile,
    CommentType,
    InvalidEvent,
    OtherEvent,
    decode_event,
    encode_event,
    source_of,
)
from gateway.contract.streams import EVENT_FIELD, Streams

__all__ = [
    "APP_INSTALLED",
    "APP_TESTED",
    "APP_UNINSTALLED",
    "COMMENT_ADDED",
    "COMMENT_DELETED",
    "COMMENT_UPDATED",
    "EVENT_FIELD",
    "AppData",
    "AppEvent",
    "AppType",
    "CloudEvent",
    "Comment",
    "CommentData",
    "CommentEvent",
    "CommentFile",
    "CommentType",
    "DeadLetter",
    "InvalidEvent",
    "OtherEvent",
    "Redelivery",
    "Streams",
    "decode_event",
    "encode_event",
    "source_of",
]
