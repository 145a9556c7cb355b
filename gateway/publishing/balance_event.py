"""Publishes the balance of an hour, so that it enters the audit log."""

from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from msgspec import to_builtins

from gateway.balance.hours import HourRecord
from gateway.contract import OtherEvent, encode_event, timestamps
from gateway.publishing.stream_writer import StreamWriter, stream_writer
from gateway.settings import PublishSettings, RedisSettings

__all__ = ["BALANCE_DRAWN", "BalanceEvents", "event_id_of"]

BALANCE_DRAWN: Final = "gateway.balance"
"""Its type begins with `gateway.`: it was not Bitrix24 that sent it."""


def event_id_of(prefix: str, hour: str) -> str:
    """The id of the event of an hour: the same whoever publishes it, so that it is there once."""
    return str(uuid5(NAMESPACE_URL, f"urn:bitrix24-event-gateway:{prefix}:balance:{hour}"))


class BalanceEvents:
    """Publishes on partition 0 of `events`, each event once however often it is asked to."""

    def __init__(self, redis: RedisSettings, settings: PublishSettings) -> None:
        self._redis = redis
        self._writer: StreamWriter = stream_writer(redis, settings, 0)

    async def publish(self, hour: str, record: HourRecord) -> None:
        """Publish the record of an hour; raises StreamUnavailable, and then it may be repeated."""
        now = timestamps.milliseconds_of(datetime.now(UTC))
        event = OtherEvent(
            id=record.event_id,
            source="urn:bitrix24-event-gateway",
            type=BALANCE_DRAWN,
            subject=f"balance/{hour}",
            time=now,
            receivedat=now,
            data=to_builtins(record.balance),
        )
        memory = self._redis.streams.recovered(0)
        await self._writer.write_once(memory, [(event.id, encode_event(event))])

    async def close(self) -> None:
        """Close the connection."""
        await self._writer.close()
