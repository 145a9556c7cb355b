"""Tells whether the enricher has passed on what was on `events` at a certain moment."""

from typing import Any, Final, TypeAlias

from redis.asyncio import Redis

from gateway.contract import EntryId, Streams
from gateway.redis_access.stream_information import stream_information

__all__ = ["Ends", "ends_of_events", "has_passed_on"]

_GROUP: Final = b"enricher"

Ends: TypeAlias = tuple[EntryId, ...]
"""The last entry of each partition of `events`, 0-0 for none."""


async def ends_of_events(client: Redis, streams: Streams) -> Ends:
    """Where the stream ends now; raises one of connections.FAILURES."""
    ends = []
    for key in streams.keys("events"):
        info = await stream_information(client, key)
        ends.append(EntryId(0) if info is None else EntryId.of(info["last-generated-id"]))
    return tuple(ends)


async def has_passed_on(client: Redis, streams: Streams, ends: Ends) -> bool:
    """Whether everything up to there has been written to `comments`; raises as the other one does.

    Entries that were parked as dead letters count as passed on: nothing will come of them soon.
    """
    for key, end in zip(streams.keys("events"), ends, strict=True):
        if end == EntryId(0):
            continue
        groups: Any = await client.xinfo_groups(key)
        ours = [group for group in groups if group["name"] == _GROUP]
        if not ours or EntryId.of(ours[0]["last-delivered-id"]) < end:
            return False
        pending: Any = await client.xpending(key, _GROUP.decode())
        if pending["min"] is not None and EntryId.of(pending["min"]) <= end:
            return False
    return True
