"""Records in the audit log that data was erased on request.

An erasure is an event on the stream `events`, like any other. So the chain keeps its one writer,
wherever that runs; the record stands in order among the events that it is about; and other services
that hold copies of the data hear of it too. Its type begins with `gateway.`: it was not Bitrix24
that sent it.
"""

from datetime import UTC, datetime
from typing import Final

from msgspec import UNSET, Struct, UnsetType, to_builtins
from uuid_utils import uuid7

from gateway.contract import (
    EVENT_FIELD,
    PORTAL_SUBJECT,
    EventSubject,
    OtherEvent,
    encode_event,
    source_of,
    timestamps,
)
from gateway.errors import OperatorError
from gateway.redis_access import connections
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING, failures_as
from gateway.settings import RedisSettings

__all__ = ["DATA_ERASED", "Erasure", "ErasureNotRecorded", "record_erasure"]

DATA_ERASED: Final = "gateway.data.erased"

_TIMEOUT_S: Final = 5.0


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
    now = timestamps.milliseconds_of(datetime.now(UTC))
    subject = (
        EventSubject(PORTAL_SUBJECT)
        if erasure.comment_id is None
        else EventSubject.of_comment(erasure.comment_id)
    )
    event = OtherEvent(
        id=str(uuid7()),
        source=source_of(erasure.member_id),
        type=DATA_ERASED,
        subject=str(subject),
        time=now,
        receivedat=now,
        data=to_builtins(erasure),
    )
    streams = redis.streams
    key = streams.key("events", streams.partition_of(erasure.member_id, subject))
    client = connections.publisher(redis.url, timeout_s=_TIMEOUT_S)
    try:
        with failures_as(_not_recorded, among=AWAY_OR_REFUSING):
            await client.xadd(key, {EVENT_FIELD: encode_event(event)})
    finally:
        await client.aclose()
    return event.id


def _not_recorded(error: Exception) -> ErasureNotRecorded:
    return ErasureNotRecorded(
        f"the erasure is done, but may not be in the audit log ({error}): run the command again"
    )
