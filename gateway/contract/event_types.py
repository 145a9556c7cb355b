"""Lists the events of Bitrix24 that are taken, one row each.

Whoever has to know which events there are reads this table. The names are Bitrix24's:
https://apidocs.bitrix24.com/api-reference/events/index.html
"""

from typing import Final, get_args

from msgspec import Struct

from gateway.contract.event_subject import APP_SUBJECT, COMMENT_SUBJECT
from gateway.contract.events import (
    APP_INSTALLED,
    APP_TESTED,
    APP_UNINSTALLED,
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    PortalType,
)

__all__ = [
    "EVENT_TYPES",
    "KNOWN_TYPES",
    "OFFLINE_EVENT",
    "EventType",
    "types_about",
    "wire_name_of",
]

_ID_PLACES: Final = ("data[FIELDS][ID]", "data[ID]", "data[id]")
# The first is what is sent. The documentation shows the second for comments and the third for
# other events.


class EventType(Struct, frozen=True, kw_only=True):
    """An event of Bitrix24, and as what it is published.

    `documented_name` is spelt as in the documentation, `type` is the CloudEvents one. Its last word
    is what happened to a subject of the kind `subject_kind`. `id_places` is where the subject's id
    stands in the form, as PHP writes it; the first that is there counts. Events are kept in the
    order of their subject; without `id_places`, in that of their portal. `scope` is the right that
    an application needs to bind it, `page` where the public reference describes it, below
    https://apidocs.bitrix24.com/. `is_queued_offline` says whether the portal can keep it for us.
    """

    documented_name: str
    type: str
    subject_kind: str
    id_places: tuple[str, ...] = _ID_PLACES
    scope: str = "crm"
    page: str = ""
    is_queued_offline: bool = False

    @property
    def wire_name(self) -> str:
        """As the name is sent, bound and queued."""
        return self.documented_name.upper()

    @property
    def short_name(self) -> str:
        """What a person types: `comment.updated`."""
        return f"{self.subject_kind}.{self.type.rpartition('.')[2]}"


EVENT_TYPES: Final[tuple[EventType, ...]] = (
    EventType(
        documented_name="onCrmTimelineCommentAdd",
        type=COMMENT_ADDED,
        subject_kind=COMMENT_SUBJECT,
    ),
    EventType(
        documented_name="onCrmTimelineCommentUpdate",
        type=COMMENT_UPDATED,
        subject_kind=COMMENT_SUBJECT,
    ),
    EventType(
        documented_name="onCrmTimelineCommentDelete",
        type=COMMENT_DELETED,
        subject_kind=COMMENT_SUBJECT,
    ),
    EventType(
        documented_name="onAppInstall",
        type=APP_INSTALLED,
        subject_kind=APP_SUBJECT,
        id_places=(),
    ),
    EventType(
        documented_name="onAppUninstall",
        type=APP_UNINSTALLED,
        subject_kind=APP_SUBJECT,
        id_places=(),
    ),
    EventType(
        documented_name="onAppTest",
        type=APP_TESTED,
        subject_kind=APP_SUBJECT,
        id_places=(),
    ),
)
"""Those of one kind of subject are in the order in which they can happen to it."""

OFFLINE_EVENT: Final = "onOfflineEvent"
"""No event: it says that events wait in the portal's queue."""

KNOWN_TYPES: Final[tuple[str, ...]] = (
    *(event_type.type for event_type in EVENT_TYPES),
    *get_args(PortalType),
)
"""Every type that this version publishes: the table's, and what the gateway says of portals."""


def types_about(subject_kind: str) -> tuple[EventType, ...]:
    """The rows of one kind of subject, in the table's order."""
    return tuple(row for row in EVENT_TYPES if row.subject_kind == subject_kind)


def wire_name_of(published_type: str) -> str:
    """As Bitrix24 sends what is published as this type; raises KeyError if it sends no such."""
    for row in EVENT_TYPES:
        if row.type == published_type:
            return row.wire_name
    raise KeyError(published_type)
