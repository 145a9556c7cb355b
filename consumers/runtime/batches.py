"""Handlers of batches: the entries of a partition in order, one batch at a time."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence

from consumers.runtime.batch_retries import BatchRetries
from consumers.runtime.entry import HeldEntry
from consumers.runtime.gate import Gate
from consumers.runtime.handler_table import BatchHandler
from consumers.runtime.intervening import Intervening
from consumers.runtime.retry_policy import Split, TryLater
from gateway.background import owned
from gateway.ending import end

__all__ = ["Batches"]


class Batches:
    """Collects entries until there are enough of them, or the oldest has waited for long enough."""

    def __init__(
        self,
        attempt: Callable[[Sequence[HeldEntry]], Awaitable[TryLater | Split | None]],
        gate: Gate,
        limits: BatchHandler,
        intervening: Intervening | None = None,
    ) -> None:
        self._attempt = attempt
        self._gate = gate
        self._retries = BatchRetries(attempt, gate, intervening, parked=self._part)
        self._intervening = intervening
        self._limits = limits
        self._waiting_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[HeldEntry] = deque()
        self._changed = asyncio.Event()
        gate.on_change(self._changed.set)
        self._worker = owned(self._work())

    def submit(self, some: Sequence[HeldEntry]) -> None:
        """Take entries, in the order in which they are handled."""
        now, size_bytes = self._loop.time(), 0
        for held in some:
            held.arrived_at = now
            size_bytes += len(held.entry.raw)
        is_first = not self._waiting
        self._waiting.extend(some)
        self._waiting_bytes += size_bytes
        if is_first or self._is_full():
            self._changed.set()

    async def alone(self, held: HeldEntry) -> None:
        """Handle an entry as a batch of its own; the first attempt has ended on return."""
        if await self._attempt((held,)) is not None:
            self.submit((held,))

    def sweep(self) -> None:
        """Take out what waits here and has to wait elsewhere from now on."""
        self._part()
        self._retries.intervene()

    async def finish(self, timeout_s: float) -> None:
        """Wait for the batch under way, once the gate is closed; then cancel it."""
        self._changed.set()
        _done, late = await asyncio.wait((self._worker,), timeout=timeout_s)
        if late:
            await end(self._worker)
            await asyncio.gather(self._worker, return_exceptions=True)
        elif (error := self._worker.exception()) is not None:
            raise error

    def _part(self, lanes: Collection[str] = ()) -> None:
        """Park of what waits what has to; `lanes` have to in any case."""
        if self._intervening is not None:
            self._waiting = deque(self._intervening.parted(self._waiting, lanes))
            self._waiting_bytes = sum(len(held.entry.raw) for held in self._waiting)

    async def _work(self) -> None:
        try:
            while await self._is_due():
                await self._retries.settle(self._batch())
        except BaseException:
            self._gate.close()
            raise

    def _batch(self) -> list[HeldEntry]:
        limits, size_bytes = self._limits, 0
        waiting, most_bytes = self._waiting, limits.max_bytes
        if len(waiting) <= limits.max_events and self._waiting_bytes <= most_bytes:
            whole = list(waiting)
            waiting.clear()
            self._waiting_bytes = 0
            return whole
        batch: list[HeldEntry] = []
        for _ in range(min(len(waiting), limits.max_events)):
            held = waiting.popleft()
            batch.append(held)
            size_bytes += len(held.entry.raw)
            if size_bytes >= most_bytes:
                break
        self._waiting_bytes -= size_bytes
        return batch

    def _is_full(self) -> bool:
        limits = self._limits
        return len(self._waiting) >= limits.max_events or self._waiting_bytes >= limits.max_bytes

    async def _is_due(self) -> bool:
        """Wait until a batch shall be handled; False when the gate has closed."""
        while not self._gate.is_closed:
            self._changed.clear()
            rest_s = self._rest_s()
            if rest_s is not None and rest_s <= 0:
                if self._gate.admits(0):
                    return True
                rest_s = None
            await self._change(rest_s)
        return False

    def _rest_s(self) -> float | None:
        """The seconds until a batch is due; None while nothing waits."""
        if not self._waiting:
            return None
        if self._is_full():
            return 0.0
        return self._waiting[0].arrived_at + self._limits.max_wait_s - self._loop.time()

    async def _change(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
