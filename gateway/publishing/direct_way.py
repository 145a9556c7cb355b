"""Stores batches on their stream without a task, as long as nothing is unusual."""

import asyncio
from collections.abc import Callable
from time import perf_counter

from gateway.publishing.batch import Batch
from gateway.publishing.stream_writer import StreamWriter

__all__ = ["DirectWay"]


class DirectWay:
    """Has one batch under way at most, for `deadline_s` at most.

    `on_end` is called with the batch and the ids of its entries, or None if it may or may not be on
    its stream: then it has to be written once more, under the number that it has.
    """

    def __init__(
        self,
        writer: StreamWriter,
        *,
        deadline_s: float,
        on_end: Callable[[Batch, bytes | None], None],
    ) -> None:
        self._writer = writer
        self._deadline_s = deadline_s
        self._on_end = on_end
        self._batch: Batch | None = None
        self._clock: asyncio.TimerHandle | None = None

    @property
    def batch(self) -> Batch | None:
        """What is under way."""
        return self._batch

    def begin(self, memory: str, batch: Batch) -> bool:
        """Send a numbered batch, if that can be done right now; whether it was."""
        if not self._writer.begin(memory, batch.sequence, batch.events, self._told):
            return False
        batch.left_at = perf_counter()
        self._batch = batch
        if self._clock is None:  # one for all batches of a while: arming one for each costs more
            self._clock = asyncio.get_running_loop().call_later(self._deadline_s, self._look)
        return True

    def close(self) -> None:
        """Forget the batch that is under way."""
        if self._clock is not None:
            self._clock.cancel()
        if self._batch is not None:
            self._writer.abandon()
            self._batch = None

    def _told(self, ids: bytes | None) -> None:
        batch, self._batch = self._batch, None
        if batch is not None:
            batch.publish_s = perf_counter() - batch.left_at
            self._on_end(batch, ids)

    def _look(self) -> None:
        """End a batch that is under way for too long; look again when that may be so."""
        self._clock = None
        if self._batch is None:
            return
        left_s = self._batch.left_at + self._deadline_s - perf_counter()
        if left_s > 0:
            self._clock = asyncio.get_running_loop().call_later(left_s, self._look)
            return
        self._writer.abandon()
        self._told(None)
