"""Publishes what an operator did as an event of the gateway's own, for the audit log.

Such a record is an event on the stream `events`, like any other. So the chain keeps its one writer,
wherever that runs; the record stands in order among the events that it is about; and other services
hear of it too. Its type begins with `gateway.`: it was not Bitrix24 that sent it.
"""

from datetime import UTC, datetime
from typing import Final

from msgspec import Struct, to_builtins
from uuid_utils import uuid7

from gateway.contract import (
    EVENT_FIELD,
    EventSubject,
    OtherEvent,
    encode_event,
    source_of,
    timestamps,
)
from gateway.partitioning.partition_record import adopt_record
from gateway.redis_access import connections
from gateway.settings import RedisSettings

__all__ = ["publish_record"]

_TIMEOUT_S: Final = 5.0


async def publish_record(
    redis: RedisSettings, record: Struct, *, kind: str, member_id: str, subject: EventSubject
) -> str:
    """Publish a record as the data of an event of the type `kind`, and return the event's id.

    It is sent once and never repeated. Raises one of connections.FAILURES if it may not be on the
    stream.
    """
    now = timestamps.milliseconds_of(datetime.now(UTC))
    event = OtherEvent(
        id=str(uuid7()),
        source=source_of(member_id),
        type=kind,
        subject=str(subject),
        time=now,
        receivedat=now,
        data=to_builtins(record),
    )
    streams = redis.streams
    client = connections.publisher(redis.url, timeout_s=_TIMEOUT_S)
    try:
        await adopt_record(client, streams)
        key = streams.key("events", streams.partition_of(member_id, subject))
        await client.xadd(key, {EVENT_FIELD: encode_event(event)})
    finally:
        await client.aclose()
    return event.id
