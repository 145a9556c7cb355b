"""Tries a batch again until each of its entries is settled, in halves where that helps."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from consumers.runtime.entry import HeldEntry
from consumers.runtime.gate import Gate
from consumers.runtime.intervening import Intervening
from consumers.runtime.retry_policy import Split, TryLater
from gateway.background import owned
from gateway.ending import end

__all__ = ["BatchRetries"]

_Lanes: TypeAlias = frozenset[str]


class BatchRetries:
    """Calls `attempt` for one batch at a time, as often as it takes, while the gate is open.

    What an operator does not want to be handled is left out of each attempt; `parked` is told the
    lanes of which something is parked, so that what waits of them is parked behind it.
    """

    def __init__(
        self,
        attempt: Callable[[Sequence[HeldEntry]], Awaitable[TryLater | Split | None]],
        gate: Gate,
        intervening: Intervening | None = None,
        *,
        parked: Callable[[_Lanes], None] = lambda _lanes: None,
    ) -> None:
        self._attempt = attempt
        self._gate = gate
        self._intervening = intervening
        self._parked = parked
        self._changed = asyncio.Event()
        self._intervened = asyncio.Event()
        gate.on_change(self._changed.set)

    def intervene(self) -> None:
        """Try again at once: an operator may not want some of it to be handled any more."""
        self._intervened.set()

    async def settle(self, batch: Sequence[HeldEntry], lanes: _Lanes = frozenset()) -> _Lanes:
        """Try a batch; on return every entry is settled or parked, or the gate has closed.

        What is of `lanes` is parked. Returns all lanes of which something was.
        """
        left, lanes = await self._left(batch, lanes)
        if not left or self._gate.is_closed:
            return lanes
        return await self.follow(left, await self._attempt(left), lanes)

    async def follow(
        self,
        batch: Sequence[HeldEntry],
        outcome: TryLater | Split | None,
        lanes: _Lanes = frozenset(),
    ) -> _Lanes:
        """Do what an attempt came to; as `settle`."""
        while outcome is not None:
            if isinstance(outcome, Split):
                middle = len(batch) // 2
                lanes = await self.settle(batch[:middle], lanes)
                return await self.settle(batch[middle:], lanes)
            await self._rest(outcome.pause_s)
            await self._admission()
            batch, lanes = await self._left(batch, lanes)
            if not batch or self._gate.is_closed:
                break
            outcome = await self._attempt(batch)
        return lanes

    async def _left(
        self, batch: Sequence[HeldEntry], lanes: _Lanes
    ) -> tuple[Sequence[HeldEntry], _Lanes]:
        """What of a batch is to be handled, and the lanes of which something is parked."""
        self._intervened.clear()
        if self._intervening is None or not (lanes or self._intervening.is_on):
            return batch, lanes
        passed = await self._intervening.passed(batch, lanes)
        if passed.parked_lanes:
            self._parked(passed.parked_lanes)
        return passed.held, lanes | passed.parked_lanes

    async def _rest(self, pause_s: float) -> None:
        """Wait for so long, until the gate closes, or until an operator intervenes."""
        intervened = owned(self._intervened.wait())
        closed = owned(self._gate.closed(pause_s))
        try:
            await asyncio.wait((intervened, closed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(intervened, closed)

    async def _admission(self) -> None:
        """Wait until the gate admits a batch, or closes."""
        while not (self._gate.admits(0) or self._gate.is_closed):
            self._changed.clear()
            await self._changed.wait()
