"""Reads a row of a portal's queue of offline events, as far as it concerns comments. Pure.

https://apidocs.bitrix24.com/api-reference/events/event-offline-get.html
"""

from collections.abc import Mapping
from typing import Any, Final, cast

from msgspec import Struct

from gateway.bitrix24.answers import members_of
from gateway.contract import COMMENT_SUBJECT, CommentType, timestamps, types_about
from gateway.php_numbers import integer_of

__all__ = ["EVENT_NAMES", "OfflineRow", "message_id_of", "row_of"]

_MESSAGE_ID_CHARS: Final = 32
# The portal refuses a call with any other id of a message.
_TYPES: Final[Mapping[str, CommentType]] = {
    row.wire_name: cast("CommentType", row.type) for row in types_about(COMMENT_SUBJECT)
}
EVENT_NAMES: Final = tuple(_TYPES)
"""The events whose rows are ours, in the order in which they can happen to a comment."""


class OfflineRow(Struct, frozen=True, kw_only=True):
    """A kind of change of a comment, however often it happened until `changed_at`.

    `changed_at` is by the portal's clock, in whole Unix seconds. `message_id` is the same for every
    change of this kind of this comment. `user_id` caused the last one.
    """

    message_id: str
    type: CommentType
    comment_id: int
    changed_at: int
    user_id: int | None


def row_of(tree: Any) -> OfflineRow | None:
    """The row; None for one of another event, and for one that cannot be understood."""
    fields = members_of(tree)
    event_type = _TYPES.get(_name(fields))
    comment_id = integer_of(
        members_of(members_of(fields.get("EVENT_DATA")).get("FIELDS")).get("ID")
    )
    changed_at = _unix_seconds(fields.get("TIMESTAMP_X"))
    message_id = message_id_of(tree)
    if event_type is None or comment_id is None or changed_at is None or message_id is None:
        return None
    return OfflineRow(
        message_id=message_id,
        type=event_type,
        comment_id=comment_id,
        changed_at=changed_at,
        user_id=integer_of(members_of(fields.get("EVENT_ADDITIONAL")).get("user_id")),
    )


def message_id_of(tree: Any) -> str | None:
    """By what a row of one of our events is cleared; None for other events, or without one."""
    fields = members_of(tree)
    message_id = fields.get("MESSAGE_ID")
    if _name(fields) not in _TYPES or not isinstance(message_id, str):
        return None
    return message_id if len(message_id) == _MESSAGE_ID_CHARS else None


def _name(fields: Mapping[str, Any]) -> str:
    return str(fields.get("EVENT_NAME")).upper()


def _unix_seconds(value: Any) -> int | None:
    try:
        return int(timestamps.moment_of(str(value)).timestamp())
    except ValueError:
        return None
