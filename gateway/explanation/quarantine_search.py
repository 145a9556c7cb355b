"""Looks whether a delivery is in the quarantine, by its receipt id, which an event would have."""

from redis.asyncio import Redis

from gateway.portals.quarantine import Quarantine
from gateway.settings import Settings

__all__ = ["quarantined_for"]


async def quarantined_for(redis: Redis, settings: Settings, receipt_id: str) -> str | None:
    """The portal in whose quarantine a delivery of this id is; None if it is in none."""
    quarantine = Quarantine(redis, settings.quarantine, prefix=settings.redis.prefix)
    return await quarantine.holder_of(receipt_id)
