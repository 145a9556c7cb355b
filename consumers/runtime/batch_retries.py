"""Tries a batch again until each of its entries is settled, in halves where that helps."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from consumers.runtime.entry import HeldEntry
from consumers.runtime.gate import Gate
from consumers.runtime.retry_policy import Split, TryLater

__all__ = ["BatchRetries"]


class BatchRetries:
    """Calls `attempt` for one batch at a time, as often as it takes, while the gate is open."""

    def __init__(
        self,
        attempt: Callable[[Sequence[HeldEntry]], Awaitable[TryLater | Split | None]],
        gate: Gate,
    ) -> None:
        self._attempt = attempt
        self._gate = gate
        self._changed = asyncio.Event()
        gate.on_change(self._changed.set)

    async def settle(self, batch: Sequence[HeldEntry]) -> None:
        """Try a batch; on return every entry is settled, or the gate has closed."""
        if not self._gate.is_closed:
            await self.follow(batch, await self._attempt(batch))

    async def follow(self, batch: Sequence[HeldEntry], outcome: TryLater | Split | None) -> None:
        """Do what an attempt came to, until every entry is settled or the gate has closed."""
        while outcome is not None:
            if isinstance(outcome, Split):
                middle = len(batch) // 2
                await self.settle(batch[:middle])
                await self.settle(batch[middle:])
                return
            await self._gate.closed(outcome.pause_s)
            await self._admission()
            if self._gate.is_closed:
                return
            outcome = await self._attempt(batch)

    async def _admission(self) -> None:
        """Wait until the gate admits a batch, or closes."""
        while not (self._gate.admits(0) or self._gate.is_closed):
            self._changed.clear()
            await self._changed.wait()
