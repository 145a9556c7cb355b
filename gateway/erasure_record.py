"""Records in the audit log that data was erased on request.

An erasure is an event on the stream `events` (gateway.record_publishing says why).
"""

from typing import Final

from msgspec import UNSET, Struct, UnsetType

from gateway.contract import PORTAL_SUBJECT, EventSubject
from gateway.errors import OperatorError
from gateway.record_publishing import publish_record
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING, failures_as
from gateway.settings import RedisSettings

__all__ = ["DATA_ERASED", "Erasure", "ErasureNotRecorded", "record_erasure"]

DATA_ERASED: Final = "gateway.data.erased"


class ErasureNotRecorded(OperatorError):
    """It is not certain that the erasure will be in the audit log."""


class Erasure(Struct, frozen=True, kw_only=True):
    """What was erased: all of a portal, or one comment of it if `comment_id` is given.

    `by` is the consumer that held the data, or `gateway` for Redis; `erased_count` how many of its
    rows (or what it has) are gone, and `places` how many where, if it has several; `reason` the
    operator's words, such as the number of a request.
    """

    member_id: str
    comment_id: int | None = None
    by: str
    erased_count: int
    places: dict[str, int] | UnsetType = UNSET
    reason: str = ""


async def record_erasure(redis: RedisSettings, erasure: Erasure) -> str:
    """Publish an erasure for the audit log, and return the id of its event.

    Call it when the data is gone, before saying so. Raises ErasureNotRecorded if the event may not
    be on the stream: erase again then, which records it again. It is sent once and never repeated.
    """
    subject = (
        EventSubject(PORTAL_SUBJECT)
        if erasure.comment_id is None
        else EventSubject.of_comment(erasure.comment_id)
    )
    with failures_as(_not_recorded, among=AWAY_OR_REFUSING):
        return await publish_record(
            redis, erasure, kind=DATA_ERASED, member_id=erasure.member_id, subject=subject
        )


def _not_recorded(error: Exception) -> ErasureNotRecorded:
    return ErasureNotRecorded(
        f"the erasure is done, but may not be in the audit log ({error}): run the command again"
    )
