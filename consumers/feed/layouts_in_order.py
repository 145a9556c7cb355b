"""Lets the feed hand on what stands on newer partitions after all that stands on former ones."""

from collections.abc import Sequence

from redis.asyncio import Redis

from consumers.feed.cursor import ReadPlace
from consumers.feed.stream_look import ends_of
from gateway.redis_access.entry_count import CountedStream

__all__ = ["LayoutsInOrder"]


class LayoutsInOrder:
    """Knows of which layouts entries may be handed on; `client` is a control client.

    What is on a stream of a newer layout was put there when the older one had all of its own.
    """

    def __init__(
        self, client: Redis, layouts: Sequence[range], streams: Sequence[CountedStream]
    ) -> None:
        self._client = client
        self._layouts = layouts
        self._streams = streams
        self._begun = {layouts[0].start}

    async def may_begin(self, partition: int, places: Sequence[ReadPlace | None]) -> bool:
        """Whether what comes on a partition may be handed on, if all was read up to `places`."""
        layout = next(one for one in self._layouts if partition in one)
        if layout.start in self._begun:
            return True
        for former in range(layout.start):
            ends, place = await ends_of(self._client, self._streams[former].key), places[former]
            if place is None or place.id < ends.last:
                return False
        self._begun.add(layout.start)
        return True
