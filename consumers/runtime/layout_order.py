"""Lets a group begin a layout of partitions only when it is through with those before it.

Events of one subject stand on one partition before the number of partitions changed, and on
another one afterwards. So that they are handled in their order, none of a newer layout is read
before everything of the older ones is handled: read, and acknowledged. Each group decides that for
itself, so that one which is behind delays nobody but those who read what it writes.

What an operator gives a group again, of a former partition, is handled there at any time.
"""

from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway.contract import FEEDERS, Streams
from gateway.partitioning.partition_record import adopt_record
from gateway.redis_access.stream_information import stream_information

__all__ = ["LayoutOrder"]

log: Any = structlog.get_logger(__name__)


class LayoutOrder:
    """Knows which layouts a group may read of a stream; `client` is for short commands.

    That a group is through with one is noted in Redis, for operators, and for those who read what
    it writes: the hash `b24:partitions:ended` has a field `<group>:<first partition>` for each.
    """

    def __init__(self, client: Redis, streams: Streams, *, group: str, stream: str) -> None:
        self._client = client
        self._streams = streams
        self._group = group
        self._stream = stream
        self._ended: set[int] = set()
        self._is_denied = self._is_known = False

    async def open_layouts(self) -> list[range]:
        """Those that may be read now, the oldest first; raises what the client raises.

        Asks Redis nothing where the group is through with all but the last one.
        """
        if not self._is_known:  # what was assumed while Redis was away may be another number
            await adopt_record(self._client, self._streams)
            self._is_known = True
        layouts = self._streams.layouts
        for at, layout in enumerate(layouts[:-1]):
            if layout.start in self._ended:
                continue
            if not await self._is_through(layout):
                return layouts[: at + 1]
            log.info(
                "the group is through with former partitions",
                group=self._group,
                stream=self._stream,
                partitions=f"{layout.start}..{layout.stop - 1}",
            )
            await self._note(layout)
            self._ended.add(layout.start)
        return layouts

    async def _is_through(self, layout: range) -> bool:
        feeder = FEEDERS.get(self._stream)
        if feeder is not None and not await self._has_ended(feeder, layout):
            return False
        for partition in layout:
            if not await self._is_handled(self._streams.key(self._stream, partition)):
                return False
        return True

    async def _is_handled(self, key: str) -> bool:
        """Whether the group has read all of a stream to which nothing is added, and handled it."""
        if await stream_information(self._client, key) is None:
            return True
        groups: Any = await self._client.xinfo_groups(key)
        row = next((one for one in groups if one["name"].decode() == self._group), None)
        if row is None:
            return False
        unread: Any = await self._client.xrange(
            key, f"({row['last-delivered-id'].decode()}", count=1
        )
        if unread:
            return False
        # Asked after it was found that nothing is left to read, so that nothing is missed.
        pending: Any = await self._client.xpending(key, self._group)
        return not pending["pending"]

    async def _has_ended(self, group: str, layout: range) -> bool:
        """Whether another group is through; where that may not be asked, it is taken for that."""
        try:
            noted: Any = await self._client.hget(self._streams.ends, _field(group, layout))
        except NoPermissionError as error:
            self._tell_denied(error)
            return True
        return noted is not None

    async def _note(self, layout: range) -> None:
        try:
            noting: Any = self._client.hset(self._streams.ends, _field(self._group, layout), "1")
            await noting
        except NoPermissionError as error:
            self._tell_denied(error)

    def _tell_denied(self, error: NoPermissionError) -> None:
        if not self._is_denied:
            log.warning(
                "who is through with former partitions may not be asked or said",
                error=str(error),
                mend="give this user the rights of docs/redis-rights.md",
            )
        self._is_denied = True


def _field(group: str, layout: range) -> str:
    return f"{group}:{layout.start}"
