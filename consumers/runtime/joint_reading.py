"""Reads a partition for many groups of one process, over a few connections.

Each group alone has a connection on which its reads block. Of hundreds in one process, one watches
the stream for all, by a read without a group; who waits is woken when something has come, and
reads without blocking, on one of some connections that all of them share. What the watch cannot
see (a redelivery in the moment between two of its reads) is found after `block_s` at the latest.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from redis.asyncio import Redis

from consumers.runtime.pending_entries import OWNER
from consumers.runtime.stream_pages import Pages, pages_of
from gateway.background import Background
from gateway.backoff import Backoff
from gateway.redis_access.connections import AWAY, AWAY_OR_REFUSING

__all__ = ["JointConnection", "JointReading"]

_WATCH_COUNT: Final = 200
_REST_S: Final = 0.00025
"""What the watch waits for each group after it has woken them: so that they read some entries at
once, and not each of them by itself. 50 ms for 200 groups."""
_LONGEST_REST_S: Final = 0.1
_BACKOFF: Final = Backoff(first_s=0.2, limit_s=5.0)


class JointReading:
    """The joint connections of a process. `connect` makes a client of the node that has a key, for
    reads of many; `watch` one for a read that blocks for `block_s`.
    """

    def __init__(
        self,
        *,
        connect: Callable[[str], Awaitable[Redis]],
        watch: Callable[[str], Awaitable[Redis]],
        block_s: float,
    ) -> None:
        self._connect = connect
        self._watch = watch
        self._block_s = block_s
        self._partitions: dict[str, _WatchedPartition] = {}

    async def join(self, key: str, redeliveries: str) -> "_WatchedPartition":
        """The partition of a stream, watched for one more group; raises what `connect` raises."""
        one = self._partitions.get(key)
        if one is None or one.is_stale:
            client = await self._connect(key)
            client.set_response_callback("XREADGROUP", pages_of)
            again = self._partitions.get(key)
            if again is not None and again is not one and not again.is_stale:
                # Somebody else was faster.
                await client.aclose()
                one = again
            else:
                one = _WatchedPartition(key, client, watch=self._watch, block_s=self._block_s)
                self._partitions[key] = one
        one.join(redeliveries)
        return one


class _WatchedPartition:
    """One partition of a stream, for all groups that have joined."""

    def __init__(
        self,
        key: str,
        client: Redis,
        *,
        watch: Callable[[str], Awaitable[Redis]],
        block_s: float,
    ) -> None:
        self._key = key
        self.client = client
        self.is_stale = False
        self.changed = asyncio.Event()
        self._watch = watch
        self._block_ms = int(block_s * 1000)
        self._redeliveries: dict[str, None] = {}
        self._watching = Background(self._run, name=f"watching {key}", begins_anew=True)

    def join(self, redeliveries: str) -> None:
        """One more group waits here, also for what it alone is given again."""
        if not self._redeliveries:
            self._watching.start()
        self._redeliveries[redeliveries] = None

    async def leave(self, redeliveries: str) -> None:
        """One group less; the last one closes the connections."""
        self._redeliveries.pop(redeliveries, None)
        if not self._redeliveries:
            self.is_stale = True
            await self._watching.close()
            with suppress(*AWAY):
                await self.client.aclose()

    def wake(self) -> None:
        """Let all that wait look."""
        before, self.changed = self.changed, asyncio.Event()
        before.set()

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                async with await self._watch(self._key) as client:
                    client.set_response_callback("XREAD", pages_of)
                    last = await self._last(client)
                    self.wake()
                    while True:
                        last = await self._look(client, last)
                        failures = 0
            except AWAY_OR_REFUSING:  # those who read say so
                failures += 1
                self.wake()
                await asyncio.sleep(_BACKOFF.delay_s(failures))

    async def _last(self, client: Redis) -> bytes:
        newest: Any = await client.xrevrange(self._key, count=1)
        return newest[0][0] if newest else b"0-0"

    async def _look(self, client: Redis, last: bytes) -> bytes:
        """Wait for what comes after an id; the last id that has come."""
        keys: dict[Any, Any] = {self._key: last, **dict.fromkeys(self._redeliveries, "$")}
        asked: Any = client.xread(keys, count=_WATCH_COUNT, block=self._block_ms)
        reply: Pages = await asked
        if not reply:
            return last
        self.wake()
        await asyncio.sleep(min(_REST_S * len(self._redeliveries), _LONGEST_REST_S))
        page = reply.get(self._key.encode())
        return page[-1][0] if page else last


class JointConnection:
    """What one group has of it: the same as a ReaderConnection, which one group has alone."""

    def __init__(self, reading: JointReading, key: str, redeliveries: str) -> None:
        self._reading = reading
        self._key = key
        self._redeliveries = redeliveries
        self._partition: _WatchedPartition | None = None
        self._seen: asyncio.Event | None = None
        self._is_ended = False

    @property
    def client(self) -> Redis | None:
        """The client for other commands; None before it is open."""
        return self._partition.client if self._partition is not None else None

    async def open(self) -> Redis:
        """Join; raises what the server's being away raises. The former one has to be closed."""
        self._partition = one = await self._reading.join(self._key, self._redeliveries)
        self._seen = None
        return one.client

    async def read(
        self, group: str, keys: Sequence[str], *, count: int, block_s: float | None
    ) -> Pages:
        """What is new to a group; nothing after a wait, or once it is to wait no more.

        It waits for up to `block_s` where all had been read. Whoever waited has to ask anew whether
        the partition may still be read, and is answered at once then.
        """
        one = self._partition
        assert one is not None  # noqa: S101 - it is open
        if self._seen is one.changed and block_s is not None and not self._is_ended:
            # All was read, and nothing has come since.
            with suppress(TimeoutError):
                async with asyncio.timeout(block_s):
                    await one.changed.wait()
            self._seen = None
            return {}
        if self._is_ended:
            return {}
        changed = one.changed
        asked: Any = one.client.xreadgroup(group, OWNER, dict.fromkeys(keys, ">"), count=count)
        pages: Pages = await asked
        is_all = all(len(page) < count for page in pages.values())
        self._seen = changed if is_all else None
        return pages

    async def end_block(self) -> None:
        """Let a read that waits return, and none wait any more."""
        self._is_ended = True
        if self._partition is not None:
            self._partition.wake()

    async def close(self) -> None:
        """Leave, if it is open: after a failure, others are given new connections, too."""
        one, self._partition = self._partition, None
        if one is not None:
            one.is_stale = True
            await one.leave(self._redeliveries)
