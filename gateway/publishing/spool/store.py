"""Gives the event loop the spool: its file, used by one thread of its own."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self, TypeVar

from gateway import metrics
from gateway.errors import OperatorError
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.outage import SharedOutage
from gateway.publishing.spool.batch_file import SpooledBatch, SpoolFile

__all__ = ["Spool"]

T = TypeVar("T")


class Spool:
    """Keeps batches on this machine until Redis takes them.

    The worker processes of a machine share it: what one of them spooled, all of them see.
    """

    def __init__(self, file: SpoolFile, look: SpoolFile, thread: ThreadPoolExecutor) -> None:
        self._file = file  # the thread's
        self._look = look  # the event loop's, for `has_backlog` only
        self._thread = thread
        self._unreadable = SharedOutage(level="error", ends="the spool can be read again")
        self._empty_at: dict[int, bytes] = {}  # the file's mark when a partition was seen empty

    @classmethod
    async def open(cls, directory: Path, *, max_bytes: int) -> Self:
        """Open or create the spool; raises OperatorError if the directory cannot be used."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="spool")
        loop = asyncio.get_running_loop()
        try:
            file = await loop.run_in_executor(
                thread, lambda: SpoolFile(directory, max_bytes=max_bytes)
            )
            look = SpoolFile(directory, max_bytes=max_bytes, is_checked=False)
        except SpoolUnavailable as error:
            thread.shutdown()
            raise OperatorError(f"[spool] dir {directory} cannot be used: {error}") from error
        return cls(file, look, thread)

    def has_backlog(self, partition: int, *, below: int = 0) -> bool:
        """True if older events of this partition wait, so that newer ones must wait behind them.

        So do those of former partitions, with numbers below `below`: it is not told whose they are.
        Cheap: the file is looked at only after somebody has appended to it.

        False where the spool cannot be read: order then gives way to storing.
        """
        mark = self._look.mark
        if self._empty_at.get(partition) == mark:
            return False
        try:
            has_backlog = self._look.has_backlog(partition, below=below)
        except SpoolUnavailable as error:
            self._unreadable.meets(
                "the spool cannot be read", "a lane", reason=error.reason, error=str(error)
            )
            return False
        self._unreadable.passed("a lane")
        if not has_backlog:
            self._empty_at[partition] = mark
        return has_backlog

    async def append(self, batch: SpooledBatch) -> None:
        """Put a batch behind all others; it is on the disk when this returns.

        Raises SpoolUnavailable; then it is not in the spool.
        """
        await self._run(lambda: self._file.append([batch]))

    async def partitions(self) -> list[int]:
        """The partitions that have a backlog."""
        return await self._run(self._file.partitions)

    async def oldest(self, partition: int, max_events: int) -> list[SpooledBatch]:
        """The oldest batches of a partition, in order: one at least, else of so many events."""
        return await self._run(lambda: self._file.oldest(partition, max_events))

    async def remove(self, batches: Sequence[SpooledBatch]) -> None:
        """Forget batches that are on their stream."""
        await self._run(lambda: self._file.remove([batch.position for batch in batches]))

    async def shrink(self) -> bool:
        """Give back some of the disk space that an empty spool takes; whether it took none."""
        return await self._run(self._file.shrink)

    async def why_no_room(self) -> str | None:
        """None if the spool can take events now, else a short reason."""
        try:
            has_room = await self._run(self._file.has_room)
        except SpoolUnavailable as error:
            return error.reason
        return None if has_room else "full"

    async def totals(self) -> tuple[int, int, int]:
        """How many events wait, how many bytes they take, and since when (Unix ms, 0 if none)."""
        return await self._run(self._file.totals)

    async def set_aside_count(self) -> int:
        """How many files were set aside here, whose events are not published."""
        return await self._run(self._file.set_aside_count)

    async def measure(self) -> int:
        """Bring the gauges up to date; since when the oldest event waits (Unix ms), 0 for none."""
        (events, size, oldest_ms), set_aside = await self._run(
            lambda: (self._file.totals(), self._file.set_aside_count())
        )
        metrics.SPOOL_EVENTS.set(events)
        metrics.SPOOL_BYTES.set(size)
        metrics.SPOOL_OLDEST_SECONDS.set(oldest_ms / 1000)
        metrics.SPOOL_SET_ASIDE_FILES.set(set_aside)
        return oldest_ms

    async def close(self) -> None:
        """Close; appends that are under way end first."""
        await self._run(self._file.close)
        self._look.close()
        self._thread.shutdown()

    async def _run(self, act: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, act)
