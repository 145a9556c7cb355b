"""Says what of a portal is to be fetched for an event, by which method, and what an error means."""

from typing import Any

from msgspec import Struct

from gateway.bitrix24.batching import Command
from gateway.bitrix24.fetch_methods import COMMENT_METHOD, Fetched, FetchMethod
from gateway.contract import Comment, EventSubject

__all__ = ["Wanted"]


class Wanted(Struct, frozen=True):
    """An object of a portal; equal for all events that want the same of the same one."""

    method: FetchMethod
    subject: EventSubject

    @classmethod
    def comment(cls, comment_id: int) -> "Wanted":
        """A timeline comment."""
        return cls(COMMENT_METHOD, EventSubject.of_comment(comment_id))

    @property
    def is_comment(self) -> bool:
        """Whether it is a comment, which has a place and a class of its own in events."""
        return self.method.fetched_as is Comment

    @property
    def command(self) -> Command:
        """The call that asks for it."""
        return Command(self.method.name, self.method.parameters_for(self.subject))

    @property
    def keys(self) -> dict[str, Any]:
        """Which one it is, for the log."""
        if self.is_comment:
            return {"comment_id": self.subject.id}
        return {"subject": str(self.subject), "method": self.method.name}

    def deleted(self, fetched_at: str | None = None) -> Fetched:
        """What is said of it when there is no such object."""
        return self.method.fetched_as(state="deleted", fetched_at=fetched_at)

    def unavailable(self, reason: str) -> Fetched:
        """What is said of it when the portal did not say."""
        return self.method.fetched_as(state="unavailable", reason=reason)
