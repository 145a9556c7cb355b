"""Records in the audit log that data was erased on request.

An erasure is an event on the stream `events` (gateway.record_publishing says why).
"""

import re
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from gateway.contract import COMMENT_SUBJECT, PORTAL_SUBJECT, EventSubject
from gateway.errors import OperatorError
from gateway.record_publishing import publish_record
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING, failures_as
from gateway.settings import RedisSettings

__all__ = [
    "DATA_ERASED",
    "SUBJECT_ERASED",
    "Erasure",
    "ErasureNotRecorded",
    "about_of",
    "record_erasure",
]

DATA_ERASED: Final = "gateway.data.erased"
SUBJECT_ERASED: Final = "gateway.subject.erased"
"""Of what is no comment: who knows DATA_ERASED alone takes one without a comment for a portal."""

_ABOUT: Final = re.compile(r"[a-z][a-z0-9_]*(\.[0-9]+)?/[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")


class ErasureNotRecorded(OperatorError):
    """It is not certain that the erasure will be in the audit log."""


class Erasure(Struct, frozen=True, kw_only=True):
    """What was erased: all of a portal, one comment of it if `comment_id` is given, or `subject`.

    A `subject` is as `deal/77`, and no comment; then `comment_id` is not there. `by` is the
    consumer that held the data, or `gateway` for Redis; `erased_count` how many of its rows (or
    what it has) are gone, and `places` how many where, if it has several; `reason` the operator's
    words, such as the number of a request.
    """

    member_id: str
    comment_id: int | UnsetType | None = None
    subject: str | UnsetType = UNSET
    by: str
    erased_count: int
    places: dict[str, int] | UnsetType = UNSET
    reason: str = ""

    @classmethod
    def of(
        cls, member_id: str, about: EventSubject | None, *, by: str, erased_count: int, reason: str
    ) -> "Erasure":
        """The erasure of all of a portal, or of what is told of one subject of it."""
        comment_id: int | UnsetType | None = None
        if about is not None:
            is_comment = about.kind == COMMENT_SUBJECT and isinstance(about.id, int)
            comment_id = int(about.id or 0) if is_comment else UNSET
        return cls(
            member_id=member_id,
            comment_id=comment_id,
            subject=str(about) if comment_id is UNSET else UNSET,
            by=by,
            erased_count=erased_count,
            reason=reason,
        )


async def record_erasure(redis: RedisSettings, erasure: Erasure) -> str:
    """Publish an erasure for the audit log, and return the id of its event.

    Call it when the data is gone, before saying so. Raises ErasureNotRecorded if the event may not
    be on the stream: erase again then, which records it again. It is sent once and never repeated.
    """
    kind, subject = DATA_ERASED, EventSubject(PORTAL_SUBJECT)
    if isinstance(erasure.subject, str):
        kind, subject = SUBJECT_ERASED, EventSubject.parse(erasure.subject)
    elif isinstance(erasure.comment_id, int):
        subject = EventSubject.of_comment(erasure.comment_id)
    with failures_as(_not_recorded, among=AWAY_OR_REFUSING):
        return await publish_record(
            redis, erasure, kind=kind, member_id=erasure.member_id, subject=subject
        )


def about_of(comment_id: int | None, subject: str | None) -> EventSubject | None:
    """What an operator wants erased of a portal: a comment, or a subject as `deal/77`; None: all.

    Raises ValueError for both together, and for what is no subject with an id.
    """
    if comment_id is not None:
        if subject is not None:
            raise ValueError("give --comment or --subject, not both")
        return EventSubject.of_comment(comment_id)
    if subject is None:
        return None
    if not _ABOUT.fullmatch(subject):
        raise ValueError("--subject is a kind and an id, as deal/77 or item.1032/6")
    return EventSubject.parse(subject)


def _not_recorded(error: Exception) -> ErasureNotRecorded:
    return ErasureNotRecorded(
        f"the erasure is done, but may not be in the audit log ({error}): run the command again"
    )
