"""Notes what is on the streams, before retention takes it, and what went with a primary."""

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import CommentEvent, EntryId, InvalidEvent, Streams, decode_event
from gateway.drill.fault_ledger import StoredEvent, stored_event
from gateway.redis_access import connections
from tests.support.eventually import eventually

__all__ = ["Tap"]

_EVERY_S: Final = 4.0
_AGAIN_MS: Final = 60_000
_PATIENCE_S: Final = 120.0
_KEPT_S: Final = 18.0
"""What is still there after so long is there for good: longer than a node is frozen that does not
know yet that another one has taken its place, and takes what is lost with it."""


class _Noted(Struct):
    entry: StoredEvent
    first_at: float
    last_at: float

    @property
    def is_kept(self) -> bool:
        return self.last_at - self.first_at >= _KEPT_S


class Tap:
    """Reads both streams, the last minute of them again each time.

    An entry that was on a primary alone when this was killed is seen once and then no more: it
    has `gone`. Those that were there for good are `kept`.
    """

    def __init__(self, url: str, streams: Streams) -> None:
        self._url = url
        self._streams = streams
        self._noted: dict[tuple[str, int], dict[EntryId, _Noted]] = {
            (stream, partition): {}
            for stream in ("events", "comments")
            for partition in range(streams.partitions)
        }

    async def watch(self, is_over: asyncio.Event) -> None:
        """Until it is over, and twice more, so that all that is there then is known to stay."""
        async with connections.control(self._url) as redis:
            while not is_over.is_set():
                await self._read(redis)
                with suppress(TimeoutError):
                    await asyncio.wait_for(is_over.wait(), _EVERY_S)
            await eventually(lambda: self._read(redis), timeout_s=_PATIENCE_S)
            await asyncio.sleep(_KEPT_S + 1)
            await eventually(lambda: self._read(redis), timeout_s=_PATIENCE_S)

    def kept(self, stream: str) -> list[list[StoredEvent]]:
        """The entries of each partition, in their order."""
        return [
            [noted.entry for _, noted in sorted(found.items()) if noted.is_kept]
            for (name, _), found in self._noted.items()
            if name == stream
        ]

    def doubled(self, stream: str) -> int:
        """How many entries are another one's event."""
        ids = Counter(entry.event_id for entries in self.kept(stream) for entry in entries)
        return sum(count - 1 for count in ids.values())

    def gone(self, stream: str) -> int:
        """How many entries were there and went."""
        return sum(
            not noted.is_kept
            for (name, _), found in self._noted.items()
            if name == stream
            for noted in found.values()
        )

    async def _read(self, redis: Redis) -> bool:
        """Whether every partition could be read."""
        is_whole = True
        for (stream, partition), found in self._noted.items():
            newest = max(found, default=EntryId(0, 0))
            first = f"{max(0, newest.ms - _AGAIN_MS)}-0"
            try:
                entries: Any = await redis.xrange(self._streams.key(stream, partition), first)
            except (*connections.AWAY, ResponseError):
                is_whole = False
                continue
            now = time.monotonic()
            for raw_id, fields in entries:
                entry_id = EntryId.of(raw_id.decode())
                if (noted := found.get(entry_id)) is not None:
                    noted.last_at = now
                elif (entry := _entry_in(fields)) is not None:
                    found[entry_id] = _Noted(entry, now, now)
        return is_whole


def _entry_in(fields: dict[bytes, bytes]) -> StoredEvent | None:
    """None for what is no event, for those of the gateway itself, as the balance of an hour, and
    for what is there again and says so, as an event whose comment could not be read before.
    """
    event = fields.get(b"event", b"")
    with suppress(InvalidEvent):
        if b"kind" not in fields and isinstance(decode_event(event), CommentEvent):
            return stored_event(event)
    return None
