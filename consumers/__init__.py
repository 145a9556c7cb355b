"""Independent consumer processes, and the runtime that every one of them runs on.

A consuming service imports everything it needs from here; docs/consumers.md shows how.
"""

from consumers.runtime.consumer import BatchHandler, Consumer, EventHandler
from consumers.runtime.dead_letter_limit import DeadLetterLimit
from consumers.runtime.entry import Entry, Event, Partition
from consumers.runtime.exceptions import Reject, Transient
from consumers.runtime.transforms import Output, TransformHandler, Write
from gateway.backoff import Backoff
from gateway.contract import (
    AppEvent,
    Comment,
    CommentEvent,
    EntityEvent,
    FetchedObject,
    OtherEvent,
    PortalEvent,
)

__all__ = [
    "AppEvent",
    "Backoff",
    "BatchHandler",
    "Comment",
    "CommentEvent",
    "Consumer",
    "DeadLetterLimit",
    "EntityEvent",
    "Entry",
    "Event",
    "EventHandler",
    "FetchedObject",
    "OtherEvent",
    "Output",
    "Partition",
    "PortalEvent",
    "Reject",
    "TransformHandler",
    "Transient",
    "Write",
]
