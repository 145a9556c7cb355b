"""Hands events to handlers: each comment's entries in order, different comments side by side."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable

from consumers.runtime.entry import HeldEntry
from consumers.runtime.gate import Circuit, Gate
from consumers.runtime.intervening import Intervening
from consumers.runtime.retry_policy import TryLater
from gateway.background import owned
from gateway.ending import end

__all__ = ["Lanes"]

_SLICE = 32
"""How many entries a worker handles before it lets others run, if its handlers never wait."""


class Lanes:
    """Keeps a queue for each comment that has entries in hand, and workers that serve the queues.

    An entry whose attempt failed stays at the head of its queue and keeps only that queue waiting;
    it occupies no worker meanwhile.
    """

    def __init__(
        self,
        attempt: Callable[[HeldEntry], Awaitable[TryLater | None]],
        gate: Gate,
        circuit: Circuit,
        intervening: Intervening | None = None,
    ) -> None:
        self._attempt = attempt
        self._gate = gate
        self._circuit = circuit
        self._intervening = intervening
        self._loop = asyncio.get_running_loop()
        # Lists, of which nearly all hold one entry, and none more than there are in hand.
        self._lanes: dict[str, list[HeldEntry]] = {}
        self._ready: deque[str] = deque()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._under_way: set[str] = set()
        self._workers: set[asyncio.Task[None]] = set()
        self._busy = 0  # workers in a handler; the others are about to take what is ready
        self._failure: BaseException | None = None
        gate.on_change(self._serve)

    @property
    def postponed_count(self) -> int:
        """How many entries wait for a next attempt: those that failed, and what is behind them."""
        return sum(len(self._lanes[name]) for name in self._timers)

    def submit(self, some: Iterable[HeldEntry]) -> None:
        """Take entries; those of one comment in the order in which they are handled."""
        lanes, ready = self._lanes, self._ready
        for held in some:
            name = held.lane
            lane = lanes.get(name)
            if lane is not None:
                lane.append(held)
            else:
                lanes[name] = [held]
                ready.append(name)
        if len(self._workers) - self._busy < len(ready):
            self._serve()

    async def alone(self, held: HeldEntry) -> None:
        """Handle an entry while nothing else runs; the first attempt has ended on return."""
        later = await self._attempt(held)
        if later is not None:
            self._lanes.setdefault(held.lane, []).append(held)
            self._postpone(held.lane, later)

    def sweep(self) -> None:
        """Take out what waits here and has to wait elsewhere from now on."""
        if self._intervening is None:
            return
        gone = set()
        for name, lane in self._lanes.items():
            first = int(name in self._under_way)
            lane[first:] = self._intervening.parted(lane[first:])
            if not lane:
                gone.add(name)
                if (timer := self._timers.pop(name, None)) is not None:
                    timer.cancel()
        for name in gone:
            del self._lanes[name]
        self._ready = deque(name for name in self._ready if name not in gone)
        # What everything failed of may be out of the way.
        self._circuit.answered()
        self._gate.resume()

    async def finish(self, timeout_s: float) -> None:
        """Wait for the handlers under way, once the gate is closed; then cancel what is left.

        Raises what a worker raised, which is never a handler's exception.
        """
        for timer in self._timers.values():
            timer.cancel()
        if self._workers:
            _done, late = await asyncio.wait(self._workers, timeout=timeout_s)
            await end(*late)
            await asyncio.gather(*late, return_exceptions=True)
        if self._failure is not None:
            raise self._failure

    def _serve(self) -> None:
        """Start workers, as many as there are lanes ready and the gate admits."""
        while len(self._workers) - self._busy < len(self._ready) and self._gate.admits(
            len(self._workers)
        ):
            task = owned(self._work())
            self._workers.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failure = self._failure or error
            self._gate.close()
        elif self._ready:
            self._serve()

    async def _work(self) -> None:
        turn = 0
        while (ready := self._ready) and self._gate.admits(len(self._workers) - 1):
            turn += 1
            if not turn % _SLICE:
                await asyncio.sleep(0)
                continue
            name = ready.popleft()
            lane = self._lanes[name]
            self._busy += 1
            self._under_way.add(name)
            try:
                if self._intervening is not None and self._intervening.is_on:
                    later = await self._intervened(lane)
                else:
                    later = await self._attempt(lane[0])
            finally:
                self._busy -= 1
                self._under_way.discard(name)
            if later is None:
                self._circuit.answered()
                self._gate.resume()
                if len(lane) > 1:
                    del lane[0]
                    self._ready.append(name)
                else:
                    del self._lanes[name]
            else:
                self._postpone(name, later)

    async def _intervened(self, lane: list[HeldEntry]) -> TryLater | None:
        """Attempt the first entry, unless it is struck, or parked with all that is behind it."""
        assert self._intervening is not None  # noqa: S101 - or nobody intervenes
        passed = await self._intervening.passed(lane[:1])
        if passed.held:
            return await self._attempt(lane[0])
        lane[1:] = self._intervening.parted(lane[1:], passed.parked_lanes)
        return None

    def _postpone(self, name: str, later: TryLater) -> None:
        if later.is_transient:
            pause_s = self._circuit.failed(name, pause_s=later.pause_s, for_all=later.is_for_all)
            if pause_s is not None:
                self._gate.pause(pause_s)
        else:
            self._circuit.answered()
            self._gate.resume()

        def due() -> None:
            del self._timers[name]
            self._ready.append(name)
            self._serve()

        self._timers[name] = self._loop.call_later(later.pause_s, due)
