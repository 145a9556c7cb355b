"""Has a process follow the number of partitions, while it runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway.background import Background
from gateway.contract import Streams
from gateway.partitioning import metrics
from gateway.partitioning.known_counts import KnownCounts
from gateway.partitioning.partition_record import kept_counts, read_record
from gateway.redis_access.redis_faults import FAILURES

__all__ = ["PartitionFollower", "following"]

log: Any = structlog.get_logger(__name__)

_LOOK_S: Final = 1.0
_READER_LOOKS_S: Final = 2.0
# Of processes that do not publish: nothing waits in a spool for them to look.
_SOON_S: Final = 0.05
# Between two looks while batches are refused, since the number changes right now.


async def _nothing() -> None:
    return


class PartitionFollower:
    """Tells the streams of a process of a new layout, and then calls `adopted`.

    `client` is a control client. With `known`, the process is a receiver: it writes the number down
    where none is on record, and remembers it on its disk for a start without Redis. What the
    settings say (`wanted`) is told where it is another number.
    """

    def __init__(
        self,
        client: Redis,
        streams: Streams,
        *,
        known: KnownCounts | None = None,
        adopted: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        self._client = client
        self._streams = streams
        self._known = known
        self._wanted = streams.partitions
        self._adopted = adopted
        self._is_told = self._is_denied = False
        self._wakes = asyncio.Event()
        # What is not seen now is seen later: nothing is published by an old layout meanwhile.
        self._following = Background(self._run, name="partitions", begins_anew=True)

    async def open(self) -> None:
        """Look for the first time, before anything is made of the streams.

        While Redis is away a receiver takes what it remembers, and others what the settings say.
        """
        if self._known is not None and (counts := self._known.load()):
            self._streams.adopt(counts)
        try:
            async with asyncio.timeout(_LOOK_S):
                await self._look()
        except (*FAILURES, TimeoutError) as error:
            log.warning("redis does not tell the number of partitions", error=str(error))

    def calls(self, adopted: Callable[[], Awaitable[None]]) -> None:
        """Call `adopted` from now on whenever there is a new layout."""
        self._adopted = adopted

    def start(self) -> None:
        """Start following."""
        self._following.start()

    async def close(self) -> None:
        """Follow no more."""
        await self._following.close()

    def hurry(self) -> None:
        """Look soon: something was refused since a partition is a former one."""
        self._wakes.set()

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_READER_LOOKS_S if self._known is None else _LOOK_S):
                    await self._wakes.wait()
                await asyncio.sleep(_SOON_S)
            except TimeoutError:
                pass
            self._wakes.clear()
            try:
                await self._look()
            except FAILURES as error:
                log.debug("redis does not tell the number of partitions", error=str(error))

    async def _look(self) -> None:
        try:
            if self._known is not None:
                counts = await kept_counts(self._client, self._streams)
            else:
                counts = (await read_record(self._client, self._streams)).counts
        except NoPermissionError:
            if not self._is_denied:
                log.warning(
                    "the number of partitions may not be asked for: that of the settings is taken",
                    key=self._streams.record,
                    mend="give it the rights of docs/redis-rights.md",
                )
            self._is_denied = True
            return
        if not counts:
            return
        before = self._streams.counts
        if counts != before:
            self._streams.adopt(counts)
            log.info(
                "events are spread into another number of partitions",
                partitions=counts[-1],
                before=before[-1],
                numbers=f"{self._streams.in_force.start}..{self._streams.in_force.stop - 1}",
            )
        if self._known is not None:
            self._known.save(counts)
            metrics.PARTITIONS.set(self._streams.partitions)
        self._tell_difference()
        if counts != before:
            await self._adopted()

    def _tell_difference(self) -> None:
        if self._streams.partitions != self._wanted and not self._is_told:
            log.warning(
                "[redis] partitions is another number than the installation's, which holds",
                setting=self._wanted,
                partitions=self._streams.partitions,
                mend="set it to that number, or change that: gateway repartition",
            )
        self._is_told = self._streams.partitions != self._wanted


@asynccontextmanager
async def following(
    client: Redis, streams: Streams, adopted: Callable[[], Awaitable[None]] = _nothing
) -> AsyncIterator[None]:
    """Have the streams of a process be those of the installation, from the start of the context."""
    follower = PartitionFollower(client, streams, adopted=adopted)
    await follower.open()
    follower.start()
    try:
        yield
    finally:
        await follower.close()
