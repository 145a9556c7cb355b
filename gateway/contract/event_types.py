"""Looks up rows of the table of event types: all events of Bitrix24 that can be taken.

Whoever has to know which events there are reads this table. The names are Bitrix24's:
https://apidocs.bitrix24.com/api-reference/events/index.html
"""

from typing import Final, get_args

from gateway.contract.alerts import ALERT_BEGAN, ALERT_ENDED
from gateway.contract.catalogue import CATALOGUE
from gateway.contract.event_type import EventType
from gateway.contract.events import PortalType

__all__ = [
    "EVENT_TYPES",
    "KNOWN_TYPES",
    "OFFLINE_EVENT",
    "TYPE_BEGINNINGS",
    "may_be_published",
    "types_about",
    "wire_name_of",
]

EVENT_TYPES: Final = CATALOGUE
"""Those of one kind of subject are in the order in which they can happen to it."""

OFFLINE_EVENT: Final = "onOfflineEvent"
"""No event: it says that events wait in the portal's queue."""

KNOWN_TYPES: Final[tuple[str, ...]] = (
    *(event_type.type for event_type in EVENT_TYPES),
    *get_args(PortalType),
    ALERT_BEGAN,
    ALERT_ENDED,
)
"""Every type that this version can publish: the table's, and what the gateway says of portals and
of itself.
"""

TYPE_BEGINNINGS: Final = ("bitrix24.", "gateway.")
"""How every type begins that this version or another one publishes."""


def may_be_published(pattern: str) -> bool:
    """Whether a type may be meant by a pattern in which `*` stands for any text, known or not."""
    literal, star, _ = pattern.partition("*")
    return any(
        literal.startswith(beginning) or (star and beginning.startswith(literal))
        for beginning in TYPE_BEGINNINGS
    )


def types_about(subject_kind: str) -> tuple[EventType, ...]:
    """The rows of one kind of subject, in the table's order."""
    return tuple(row for row in EVENT_TYPES if row.subject_kind == subject_kind)


def wire_name_of(published_type: str) -> str:
    """As Bitrix24 sends what is published as this type; raises KeyError if it sends no such."""
    for row in EVENT_TYPES:
        if row.type == published_type:
            return row.wire_name
    raise KeyError(published_type)
