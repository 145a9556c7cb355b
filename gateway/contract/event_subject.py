"""Says what an event is about, within its portal: the CloudEvents `subject`."""

from typing import Final

from msgspec import Struct

__all__ = ["APP_SUBJECT", "COMMENT_SUBJECT", "PORTAL_SUBJECT", "EventSubject"]

COMMENT_SUBJECT: Final = "comment"
APP_SUBJECT: Final = "app"
PORTAL_SUBJECT: Final = "portal"


class EventSubject(Struct, frozen=True, gc=False):
    """A kind, and which one of that kind: `comment/999`.

    An id is a number, or the text that Bitrix24 calls it by: `chat/chat17`. The application and the
    portal itself are the only ones of their kind and have no id: `app`. Order is kept for each
    subject by itself, and for all that have no id together.
    """

    kind: str
    id: int | str | None = None

    @classmethod
    def of_comment(cls, comment_id: int) -> "EventSubject":
        """A timeline comment."""
        return cls(COMMENT_SUBJECT, comment_id)

    @classmethod
    def parse(cls, subject: str) -> "EventSubject":
        """The opposite of `str`. Raises ValueError where nothing stands behind the slash."""
        kind, slash, text = subject.partition("/")
        if not slash:
            return cls(kind)
        if not text:
            raise ValueError(f"{subject}: the id is missing")
        is_number = text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")
        return cls(kind, int(text) if is_number else text)

    @property
    def partition_key(self) -> str:
        """What the partition of an event hangs on, beside its portal.

        It must never change, for else a subject would be on two partitions. A comment's is its
        number alone, `0` is that of all subjects without an id.
        """
        if self.id is None:
            return "0"
        return str(self.id) if self.kind == COMMENT_SUBJECT else str(self)

    def __str__(self) -> str:
        return self.kind if self.id is None else f"{self.kind}/{self.id}"
