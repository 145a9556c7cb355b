"""Says whose data is to be erased, and what is about it. Pure."""

from typing import Final

from msgspec import Struct

from gateway.contract import (
    COMMENT_SUBJECT,
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
    """A portal, or `about` one comment, deal, … of it."""

    member_id: str
    about: EventSubject | None = None

    @property
    def is_portal(self) -> bool:
        """Whether it is all of a portal."""
        return self.about is None

    @property
    def comment_id(self) -> int | None:
        """The comment's id, if it is one."""
        about = self.about
        if about is None or about.kind != COMMENT_SUBJECT or not isinstance(about.id, int):
            return None
        return about.id

    def __str__(self) -> str:
        if self.about is None:
            return f"portal {self.member_id}"
        return f"{self.about.kind} {self.about.id} of {self.member_id}"

    def has(self, raw: bytes) -> bool:
        """Whether an encoded event is about it.

        What names the portal and cannot be read counts as the portal's.
        """
        if self.member_id.encode() not in raw:
            return False
        try:
            event = decode_event(raw)
        except InvalidEvent:
            return self.is_portal
        if event.source != source_of(self.member_id) or event.type.startswith(_OWN):
            return False
        return self.is_portal or event.subject == str(self.about)

    def has_failure(self, value: bytes) -> bool:
        """Whether the record of a failed attempt is about it."""
        record = FailedAttempt.of(value)
        if record is None:
            return self.is_portal and self.member_id.encode() in value
        return record.portal == self.member_id and (
            self.is_portal or record.subject == str(self.about)
        )

    def has_notice(self, field: str, value: bytes) -> bool:
        """Whether a waiting notice is about it: under `<member_id>:<comment_id>`, of another
        subject under `<member_id>:deal/77`, or under the id of an event that is about none.
        """
        member_id, colon, about = field.partition(":")
        if not colon:
            return self.is_portal and self.member_id.encode() in value
        return member_id == self.member_id and (
            self.is_portal or about in {str(self.comment_id), str(self.about)}
        )
