"""Entries that are not there any more: lost, or erased because somebody asked for it."""

from typing import Any

import structlog
from redis.asyncio import Redis

from consumers.runtime.lua_scripts import Scripts
from consumers.runtime.metrics import Metrics
from consumers.runtime.partition_keys import Place

__all__ = ["is_pending", "tell_missing"]

log = structlog.get_logger()


async def tell_missing(
    scripts: Scripts, place: Place, metrics: Metrics, missing: int, *, first_id: str
) -> None:
    """Tell of entries that the group had still to read: an alarm, but for those that were erased.

    How many those are, whoever erases notes in the partition's lease.
    """
    erased = min(missing, await scripts.take_erased(place.lease))
    about = {"stream": place.shared.key, "group": place.group}
    if erased:
        metrics.erased(erased)
        log.info(
            "entries were erased on request before the group had read them",
            entries=erased,
            **about,
        )
    if lost := missing - erased:
        metrics.lost("trimmed", lost)
        log.error(
            "entries were trimmed or deleted before the group had read them",
            entries=lost,
            first_id=first_id,
            **about,
        )


async def is_pending(client: Redis, key: str, group: str, entry_id: bytes) -> bool:
    """Whether a group still has an entry to handle; whoever erases one acknowledges it, too."""
    rows: Any = await client.xpending_range(key, group, entry_id, entry_id, 1)
    return bool(rows)
