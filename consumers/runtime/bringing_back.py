"""Fetches again what was set aside, where there is room for its key by now."""

from typing import Any, Final

from redis.asyncio import Redis

from consumers.runtime.in_flight import InFlight
from consumers.runtime.intake import Admission
from consumers.runtime.lost_entries import is_pending

__all__ = ["LOOK_S", "MAX_ASIDE", "bring_back"]

LOOK_S: Final = 0.1
"""How often it is looked whether anything may come back."""
MAX_ASIDE: Final = 100_000
"""Entries that are set aside at most: some 20 MB of ids. Then nothing more is read."""
_MAX_COUNT: Final = 1000


async def bring_back(client: Redis, group: str, in_flight: InFlight, admission: Admission) -> None:
    """Take a thousand entries at most from aside; raises what the client raises.

    They are this process's already, so they are read and not claimed: no delivery is counted. What
    is not read because the server is away stays aside.
    """
    for key, some in list(in_flight.wanted(_MAX_COUNT)):
        async with client.pipeline(transaction=False) as pipeline:
            for source, entry_id, _ in some:
                pipeline.xrange(source.key, entry_id, entry_id)
            found: Any = await pipeline.execute()
        erased = {
            entry_id
            for (source, entry_id, _), rows in zip(some, found, strict=True)
            if not rows and not await is_pending(client, source.key, group, entry_id)
        }
        in_flight.came_back(key, len(some))
        for (source, entry_id, deliveries), rows in zip(some, found, strict=True):
            if entry_id in erased:
                admission.pass_over(source, entry_id)
            else:
                admission.take_back(source, entry_id, dict(rows).get(entry_id, {}), deliveries)
