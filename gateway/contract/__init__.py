"""Says what is on the streams and under which names: the published language.

A consuming service needs nothing else of the gateway. Nothing here does I/O, and nothing here
imports another part of the project.
"""

from gateway.contract.alerts import ALERT_BEGAN, ALERT_ENDED, AlertData, AlertName
from gateway.contract.dead_letters import DeadLetter, PastDeath, Redelivery, past_deaths
from gateway.contract.entity_events import EntityData, EntityEvent, FetchedObject
from gateway.contract.entry_id import EntryId
from gateway.contract.event_id import moment_in
from gateway.contract.event_json import Event, InvalidEvent, decode_event, encode_event
from gateway.contract.event_selection import EventSelection, is_of_type
from gateway.contract.event_subject import (
    APP_SUBJECT,
    COMMENT_SUBJECT,
    PORTAL_SUBJECT,
    EventSubject,
)
from gateway.contract.event_type import ENTITY_TYPE_ID, EventType
from gateway.contract.event_types import (
    EVENT_TYPES,
    KNOWN_TYPES,
    OFFLINE_EVENT,
    TYPE_BEGINNINGS,
    may_be_published,
    types_about,
    wire_name_of,
)
from gateway.contract.events import (
    APP_INSTALLED,
    APP_TESTED,
    APP_UNINSTALLED,
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    PORTAL_RECOVERED,
    PORTAL_SILENT,
    PORTAL_TOKEN_EXPIRING,
    PORTAL_UNAUTHORIZED,
    PORTAL_UNBOUND,
    AppData,
    AppEvent,
    AppType,
    CloudEvent,
    Comment,
    CommentData,
    CommentEvent,
    CommentFile,
    CommentType,
    OtherEvent,
    PortalData,
    PortalEvent,
    PortalType,
    Trouble,
    source_of,
)
from gateway.contract.failed_attempts import FailedAttempt
from gateway.contract.interventions import STRUCK, Pause, Strike, pauses_of, strikes_of
from gateway.contract.streams import EVENT_FIELD, FEEDERS, KIND_FIELD, REPLAY_KIND, Streams

__all__ = [
    "ALERT_BEGAN",
    "ALERT_ENDED",
    "APP_INSTALLED",
    "APP_SUBJECT",
    "APP_TESTED",
    "APP_UNINSTALLED",
    "COMMENT_ADDED",
    "COMMENT_DELETED",
    "COMMENT_SUBJECT",
    "COMMENT_UPDATED",
    "ENTITY_TYPE_ID",
    "EVENT_FIELD",
    "EVENT_TYPES",
    "FEEDERS",
    "KIND_FIELD",
    "KNOWN_TYPES",
    "OFFLINE_EVENT",
    "PORTAL_RECOVERED",
    "PORTAL_SILENT",
    "PORTAL_SUBJECT",
    "PORTAL_TOKEN_EXPIRING",
    "PORTAL_UNAUTHORIZED",
    "PORTAL_UNBOUND",
    "REPLAY_KIND",
    "STRUCK",
    "TYPE_BEGINNINGS",
    "AlertData",
    "AlertName",
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
    "EntityData",
    "EntityEvent",
    "EntryId",
    "Event",
    "EventSelection",
    "EventSubject",
    "EventType",
    "FailedAttempt",
    "FetchedObject",
    "InvalidEvent",
    "OtherEvent",
    "PastDeath",
    "Pause",
    "PortalData",
    "PortalEvent",
    "PortalType",
    "Redelivery",
    "Streams",
    "Strike",
    "Trouble",
    "decode_event",
    "encode_event",
    "is_of_type",
    "may_be_published",
    "moment_in",
    "past_deaths",
    "pauses_of",
    "source_of",
    "strikes_of",
    "types_about",
    "wire_name_of",
]
