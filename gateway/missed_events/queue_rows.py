"""Reads rows of a portal's queue of offline events, of those events that are subscribed to. Pure.

https://apidocs.bitrix24.com/api-reference/events/event-offline-get.html
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.bitrix24.answers import members_of
from gateway.contract import COMMENT_SUBJECT, EventSubject, timestamps
from gateway.event_subscription import EventSubscription
from gateway.inbound.entity_reading import EntityReader
from gateway.php_numbers import integer_of

__all__ = ["OfflineRow", "QueueRows", "event_name_of"]

_MESSAGE_ID_CHARS: Final = 32
# The portal refuses a call with any other id of a message.


class OfflineRow(Struct, frozen=True, kw_only=True):
    """A kind of change of a comment, or of another entity, however often it happened until
    `changed_at`.

    `changed_at` is by the portal's clock, in whole Unix seconds. `message_id` is the same for every
    change of this kind of this entity. `user_id` caused the last one. `fields` is what the event
    has in `data.fields`; of comments, nothing.
    """

    message_id: str
    type: str
    subject: EventSubject
    changed_at: int
    user_id: int | None
    fields: dict[str, Any] = {}


class QueueRows:
    """Knows the events whose rows are ours: those that are subscribed to, and that are queued."""

    def __init__(self, subscription: EventSubscription) -> None:
        self.event_names: Final = subscription.queued
        """In the order in which they can happen to a subject."""
        self._readers = {
            name: EntityReader(subscription.by_wire_name[name]) for name in self.event_names
        }

    def row_of(self, tree: Any) -> OfflineRow | None:
        """The row; None for one of another event, and for one that cannot be understood."""
        fields = members_of(tree)
        reader = self._readers.get(event_name_of(tree))
        changed_at = _unix_seconds(fields.get("TIMESTAMP_X"))
        message_id = self.message_id_of(tree)
        if reader is None or changed_at is None or message_id is None:
            return None
        entity = reader.read_row(fields.get("EVENT_DATA"))
        is_of_comment = entity.subject.kind == COMMENT_SUBJECT
        if is_of_comment and not isinstance(entity.subject.id, int):
            return None
        return OfflineRow(
            message_id=message_id,
            type=entity.type,
            subject=entity.subject,
            changed_at=changed_at,
            user_id=integer_of(members_of(fields.get("EVENT_ADDITIONAL")).get("user_id")),
            fields={} if is_of_comment else entity.fields,
        )

    def message_id_of(self, tree: Any) -> str | None:
        """By what a row of one of our events is cleared; None for other events, or without one."""
        message_id = members_of(tree).get("MESSAGE_ID")
        if event_name_of(tree) not in self._readers or not isinstance(message_id, str):
            return None
        return message_id if len(message_id) == _MESSAGE_ID_CHARS else None


def event_name_of(tree: Any) -> str:
    """The name of the event that a row is of, in capitals; empty if it has none."""
    fields: Mapping[str, Any] = members_of(tree)
    return str(fields.get("EVENT_NAME", "")).upper()


def _unix_seconds(value: Any) -> int | None:
    try:
        return int(timestamps.moment_of(str(value)).timestamp())
    except ValueError:
        return None
