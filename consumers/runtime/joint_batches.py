"""Handles the entries of a partition in batches that are joined with those of other partitions."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence

from consumers.runtime.batch_retries import BatchRetries
from consumers.runtime.entry import HeldEntry
from consumers.runtime.gate import Gate
from consumers.runtime.handlers import BatchFunction
from consumers.runtime.intervening import Intervening
from consumers.runtime.joint_calls import JointCalls
from consumers.runtime.retry_policy import Split, TryLater
from gateway.background import owned
from gateway.ending import end

__all__ = ["JointBatches"]


class JointBatches:
    """Collects entries, and lets `calls` say when they are handled, in order, a batch at a time.

    What failed by its own fault is tried again by itself; what failed for the want of something
    goes back to where it waited, in its place.
    """

    def __init__(
        self,
        attempt: Callable[[Sequence[HeldEntry], BatchFunction], Awaitable[TryLater | Split | None]],
        gate: Gate,
        calls: JointCalls,
        *,
        by_itself: BatchFunction,
        intervening: Intervening | None = None,
    ) -> None:
        self._attempt = attempt
        self._gate = gate
        self._calls = calls
        self._by_itself = by_itself
        self._retries = BatchRetries(
            self._attempt_alone, gate, intervening, parked=self._part_waiting
        )
        self._intervening = intervening
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[HeldEntry] = deque()
        self._waiting_bytes = 0
        self._handling: asyncio.Task[None] | None = None
        calls.admit(self)
        gate.on_change(self._look_if_any)

    @property
    def oldest_at(self) -> float | None:
        """Since when the first entry waits, by the loop's clock; None if none may be handled."""
        if self._handling is not None or not self._waiting or not self._gate.admits(0):
            return None
        return self._waiting[0].arrived_at

    def submit(self, some: Sequence[HeldEntry]) -> None:
        """Take entries, in the order in which they are handled."""
        now, size_bytes = self._loop.time(), 0
        for held in some:
            held.arrived_at = now
            size_bytes += len(held.entry.raw)
        is_first = not self._waiting
        self._waiting.extend(some)
        self._waiting_bytes += size_bytes
        self._calls.came(len(some), size_bytes, is_first=is_first)

    async def alone(self, held: HeldEntry) -> None:
        """Handle an entry as a batch of its own; the first attempt has ended on return."""
        if await self._attempt_alone((held,)) is not None:
            self.submit((held,))

    def begin(self, most_events: int, most_bytes: int) -> tuple[int, int]:
        """Let a batch within these limits come to the call; how many events and bytes it has."""
        batch: list[HeldEntry] = []
        size_bytes = 0
        while self._waiting and len(batch) < most_events and size_bytes < most_bytes:
            held = self._waiting.popleft()
            batch.append(held)
            size_bytes += len(held.entry.raw)
        self._waiting_bytes -= size_bytes
        self._calls.went(len(batch), size_bytes)
        if self._intervening is not None and self._intervening.is_on:
            batch = self._parted(batch)
            size_bytes = sum(len(held.entry.raw) for held in batch)
            if not batch:
                return 0, 0
        self._handling = owned(self._handle(batch))
        return len(batch), size_bytes

    def sweep(self) -> None:
        """Take out what waits here and has to wait elsewhere from now on."""
        self._part_waiting()
        self._retries.intervene()
        self._calls.resume()

    async def finish(self, timeout_s: float) -> None:
        """Wait for the batch under way, once the gate is closed; then cancel it.

        Raises what `attempt` raised, which is never a handler's exception.
        """
        try:
            if self._handling is not None:
                done, late = await asyncio.wait((self._handling,), timeout=timeout_s)
                await end(*late)
                for handling in done:
                    handling.result()
        finally:
            self._calls.dismiss(self, count=len(self._waiting), size_bytes=self._waiting_bytes)

    async def _handle(self, batch: Sequence[HeldEntry]) -> None:
        try:
            is_joined = self._intervening is None or not self._intervening.strikes(batch)
            if is_joined:
                outcome = await self._attempt(batch, self._calls.joined)
            else:  # a call is not kept waiting for what becomes of dead letters
                outcome = None
                await self._retries.settle(batch)
            is_away = isinstance(outcome, TryLater) and outcome.is_transient
            if not is_away:
                await self._retries.follow(batch, outcome)
        except BaseException:
            self._gate.close()
            raise
        self._handling = None
        if isinstance(outcome, TryLater) and is_away:
            self._put_back(batch)
            self._calls.pause(outcome.pause_s)
        elif outcome is not None or not is_joined:
            self._calls.look()

    def _parted(self, batch: Sequence[HeldEntry]) -> list[HeldEntry]:
        """What of a batch need not wait; what follows the rest is parked behind it."""
        assert self._intervening is not None  # noqa: S101 - or nothing has to wait
        left = self._intervening.parted(batch)
        if len(left) < len(batch):
            kept = {id(held) for held in left}
            self._part_waiting({held.lane for held in batch if id(held) not in kept})
        return left

    def _part_waiting(self, lanes: Collection[str] = ()) -> None:
        """Park of what waits what has to; `lanes` have to in any case."""
        if self._intervening is None:
            return
        count, size_bytes = len(self._waiting), self._waiting_bytes
        self._waiting = deque(self._intervening.parted(self._waiting, lanes))
        self._waiting_bytes = sum(len(held.entry.raw) for held in self._waiting)
        self._calls.went(count - len(self._waiting), size_bytes - self._waiting_bytes)

    async def _attempt_alone(self, batch: Sequence[HeldEntry]) -> TryLater | Split | None:
        return await self._attempt(batch, self._by_itself)

    def _put_back(self, batch: Sequence[HeldEntry]) -> None:
        """Let a batch wait again, before what has come meanwhile."""
        self._waiting.extendleft(reversed(batch))
        size_bytes = sum(len(held.entry.raw) for held in batch)
        self._waiting_bytes += size_bytes
        self._calls.came(len(batch), size_bytes, is_first=False)

    def _look_if_any(self) -> None:
        if self._waiting:
            self._calls.look()
