"""Takes deliveries off the counts of entries that no handler was called with.

The server counts how often an entry was taken in hand, and one that was by several processes, none
of which reported back, is taken for what ended them. So what was merely read, and is parked or left
behind in good order, has to be given back.
"""

from collections.abc import Mapping, Sequence

import structlog

from consumers.runtime.entry import Source
from consumers.runtime.pending_entries import OWNER
from consumers.runtime.tenure import Tenure

__all__ = ["give_back"]

log = structlog.get_logger()


async def give_back(tenure: Tenure, source: Source, ids: Mapping[int, Sequence[bytes]]) -> None:
    """Set the counts of pending entries of a source, which are given by what these shall be.

    Does nothing if another process owns the partition now. Tells of what has lost its payload.
    """
    keys = tenure.keys
    for deliveries, some in ids.items():
        lost = await tenure.scripts.give_back(
            (keys.lease, source.key),
            epoch=tenure.epoch,
            group=keys.group,
            consumer=OWNER,
            deliveries=deliveries,
            ids=some,
        )
        if lost is None:
            return
        for entry_id in sorted(lost):
            tenure.metrics.lost("payload", 1)
            log.error("payload lost", stream=source.key, entry_id=entry_id.decode())
