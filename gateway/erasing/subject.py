"""Says whose data is to be erased, and what is about it. Pure."""

from typing import Final

from msgspec import Struct

from gateway.contract import (
    CommentEvent,
    EventSubject,
    FailedAttempt,
    InvalidEvent,
    decode_event,
    source_of,
)

__all__ = ["Subject"]

_OWN: Final = "gateway."
# Events of the gateway's own, such as those that say for the audit log that something was erased.


class Subject(Struct, frozen=True, kw_only=True):
    """A portal, or one comment of it."""

    member_id: str
    comment_id: int | None = None

    def __str__(self) -> str:
        if self.comment_id is None:
            return f"portal {self.member_id}"
        return f"comment {self.comment_id} of {self.member_id}"

    def has(self, raw: bytes) -> bool:
        """Whether an encoded event is about it.

        What names the portal and cannot be read counts as the portal's.
        """
        if self.member_id.encode() not in raw:
            return False
        try:
            event = decode_event(raw)
        except InvalidEvent:
            return self.comment_id is None
        if event.source != source_of(self.member_id) or event.type.startswith(_OWN):
            return False
        if self.comment_id is None:
            return True
        return isinstance(event, CommentEvent) and event.data.comment_id == self.comment_id

    def has_failure(self, value: bytes) -> bool:
        """Whether the record of a failed attempt is about it."""
        record = FailedAttempt.of(value)
        if record is None:
            return self.comment_id is None and self.member_id.encode() in value
        return record.portal == self.member_id and (
            self.comment_id is None
            or record.subject == str(EventSubject.of_comment(self.comment_id))
        )

    def has_notice(self, field: str, value: bytes) -> bool:
        """Whether a waiting notice is about it: under `<member_id>:<comment_id>`, or under the id
        of an event that is not about a comment.
        """
        member_id, colon, comment_id = field.rpartition(":")
        if not colon:
            return self.comment_id is None and self.member_id.encode() in value
        return member_id == self.member_id and (
            self.comment_id is None or comment_id == str(self.comment_id)
        )
