"""Publishes the balance of an hour, so that it enters the audit log."""

from datetime import UTC, datetime
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from msgspec import to_builtins

from gateway.balance.hours import HourRecord
from gateway.contract import OtherEvent, timestamps
from gateway.publishing.publish_once import OncePublisher
from gateway.settings import PublishSettings, RedisSettings

__all__ = ["BALANCE_DRAWN", "BalanceEvents", "event_id_of"]

BALANCE_DRAWN: Final = "gateway.balance"
"""Its type begins with `gateway.`: it was not Bitrix24 that sent it."""


def event_id_of(prefix: str, hour: str) -> str:
    """The id of the event of an hour: the same whoever publishes it, so that it is there once."""
    return str(uuid5(NAMESPACE_URL, f"urn:bitrix24-event-gateway:{prefix}:balance:{hour}"))


class BalanceEvents:
    """Publishes on the first partition of `events`, each event once however often it is asked."""

    def __init__(self, redis: RedisSettings, settings: PublishSettings) -> None:
        self._publisher = OncePublisher(redis, settings)

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
        await self._publisher.publish_apart(event)

    async def close(self) -> None:
        """Close the connection."""
        await self._publisher.close()
