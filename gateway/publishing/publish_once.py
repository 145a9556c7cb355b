"""Publishes each event once, whoever does it and however often.

For what was found afterwards, and for the application's life, whose tasks are taken up again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from gateway.contract import (
    AppEvent,
    CommentEvent,
    EntityEvent,
    EventSubject,
    OtherEvent,
    PortalEvent,
    Streams,
    encode_event,
)
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import StreamWriter, stream_writer
from gateway.settings import PublishSettings, RedisSettings

__all__ = ["OncePublisher"]

T = TypeVar("T")

_Encoded = tuple[str, bytes]
"""An event's id and its JSON."""
_CHUNK: Final = 256
# As many as in a receiver's batch: it holds the server for about a millisecond.


class OncePublisher:
    """Publishes events on the `events` stream, at the durability of the settings.

    The id of an event decides whether it is there already, so it must be the same each time the
    event is found; it is remembered for 35 days, over a change of the number of partitions, too.
    There is no spool: what Redis does not take, its finder finds again.
    """

    def __init__(self, redis: RedisSettings, settings: PublishSettings) -> None:
        self._redis = redis
        self._settings = settings
        self._writers: dict[int, tuple[StreamWriter, asyncio.Lock]] = {}

    async def publish(
        self, events: Sequence[CommentEvent | AppEvent | PortalEvent | EntityEvent]
    ) -> int:
        """Publish those that are not there yet, in this order for each subject; how many.

        Repeatable; raises StreamUnavailable, and then any of them may have been published.
        """
        by_homes: dict[tuple[int, ...], list[_Encoded]] = {}
        for event in events:
            homes = self._streams.homes_of(event.data.member_id, EventSubject.parse(event.subject))
            by_homes.setdefault(tuple(homes), []).append((event.id, encode_event(event)))
        count = 0
        for places, encoded in by_homes.items():
            for first in range(0, len(encoded), _CHUNK):
                count += await self._publish(places, encoded[first : first + _CHUNK])
        return count

    async def publish_apart(self, event: OtherEvent) -> int:
        """Publish an event of no portal, on the first of the partitions; as `publish`."""
        places = tuple(layout.start for layout in self._streams.layouts)
        return await self._publish(places, [(event.id, encode_event(event))])

    async def close(self) -> None:
        """Close the connections."""
        for writer, _ in self._writers.values():
            await writer.close()

    @property
    def _streams(self) -> Streams:
        return self._redis.streams

    async def _publish(self, places: Sequence[int], encoded: Sequence[_Encoded]) -> int:
        """Publish on the last of these places what is on none of those before it.

        Those before are former partitions, to which nothing is added between these questions.
        """
        for place in places[:-1]:
            known = await self._called(place, encoded, StreamWriter.known)
            encoded = [one for one in encoded if one[0] not in known]
        return await self._called(places[-1], encoded, StreamWriter.write_once) if encoded else 0

    async def _called(
        self,
        partition: int,
        encoded: Sequence[_Encoded],
        call: Callable[[StreamWriter, str, Sequence[_Encoded]], Awaitable[T]],
    ) -> T:
        if partition not in self._writers:
            writer = stream_writer(self._redis, self._settings, partition)
            self._writers[partition] = (writer, asyncio.Lock())
        writer, one_at_a_time = self._writers[partition]
        deadline_s = self._settings.deadline_s
        async with one_at_a_time:
            try:
                async with asyncio.timeout(deadline_s):
                    return await call(writer, self._streams.recovered(partition), encoded)
            except TimeoutError as error:
                raise StreamUnavailable("away", f"no answer in {deadline_s} s") from error
