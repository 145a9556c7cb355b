"""Independent consumer processes, and the runtime that every one of them runs on.

A consuming service imports everything it needs from here; docs/consumers.md shows how.
"""

from consumers.runtime.consumer import Consumer
from consumers.runtime.dead_letter_limit import DeadLetterLimit
from consumers.runtime.entry import Entry, Event, Partition
from consumers.runtime.exceptions import Declined, Reject, Transient
from consumers.runtime.handler_table import BatchHandler, EventHandler
from consumers.runtime.retry_schedule import RetrySchedule
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
    "Declined",
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
    "RetrySchedule",
    "TransformHandler",
    "Transient",
    "Write",
]
