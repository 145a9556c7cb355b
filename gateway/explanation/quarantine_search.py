"""Looks whether a delivery is in the quarantine, by its receipt id, which an event would have."""

from typing import Final

from redis.asyncio import Redis

from gateway.portals.quarantine import Quarantine
from gateway.portals.registry import Registry
from gateway.settings import Settings

__all__ = ["quarantined_for"]

_SOME: Final = 1000
"""Portals that are asked about in one go."""


async def quarantined_for(redis: Redis, settings: Settings, receipt_id: str) -> str | None:
    """The portal in whose quarantine a delivery of this id is; None if it is in none.

    Portals are those of the settings and the registered ones: others have no quarantine.
    """
    prefix = settings.redis.prefix
    known = dict.fromkeys(portal.member_id for portal in settings.portals)
    reading = await Registry(redis, prefix=prefix).read()
    known |= dict.fromkeys(one.member_id for one in reading.registrations)
    member_ids = list(known)
    quarantine = Quarantine(redis, settings.quarantine, prefix=prefix)
    for first in range(0, len(member_ids), _SOME):
        found = await quarantine.holder_of(receipt_id, member_ids[first : first + _SOME])
        if found is not None:
            return found
    return None
