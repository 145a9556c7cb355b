"""Publishes each event once, whoever does it and however often.

For what was found afterwards, and for the application's life, whose tasks are taken up again.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.contract import (
    AppEvent,
    CommentEvent,
    EntityEvent,
    EventSubject,
    PortalEvent,
    encode_event,
)
from gateway.publishing.errors import StreamUnavailable
from gateway.publishing.stream_writer import StreamWriter, stream_writer
from gateway.settings import PublishSettings, RedisSettings

__all__ = ["OncePublisher"]

_CHUNK: Final = 256
# As many as in a receiver's batch: it holds the server for about a millisecond.


class OncePublisher:
    """Publishes events on the `events` stream, at the durability of the settings.

    The id of an event decides whether it is there already, so it must be the same each time the
    event is found; it is remembered for 35 days. There is no spool: what Redis does not take, its
    finder finds again.
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
        streams = self._redis.streams
        by_partition: dict[int, list[tuple[str, bytes]]] = {}
        for event in events:
            subject = EventSubject.parse(event.subject)
            partition = streams.partition_of(event.data.member_id, subject)
            by_partition.setdefault(partition, []).append((event.id, encode_event(event)))
        count = 0
        for partition, encoded in by_partition.items():
            for first in range(0, len(encoded), _CHUNK):
                count += await self._write(partition, encoded[first : first + _CHUNK])
        return count

    async def close(self) -> None:
        """Close the connections."""
        for writer, _ in self._writers.values():
            await writer.close()

    async def _write(self, partition: int, encoded: Sequence[tuple[str, bytes]]) -> int:
        if partition not in self._writers:
            writer = stream_writer(self._redis, self._settings, partition)
            self._writers[partition] = (writer, asyncio.Lock())
        writer, one_at_a_time = self._writers[partition]
        deadline_s = self._settings.deadline_s
        async with one_at_a_time:
            try:
                async with asyncio.timeout(deadline_s):
                    memory = self._redis.streams.recovered(partition)
                    return await writer.write_once(memory, encoded)
            except TimeoutError as error:
                raise StreamUnavailable("away", f"no answer in {deadline_s} s") from error
