"""Says whether handlers may be started: while the lease is held, and neither in a pause of
failures nor in one of an operator.

The gate opens and closes; the circuit says when everything fails, so that it has to pause.
"""

import asyncio
import time
from collections.abc import Callable

from msgspec import Struct

from gateway.backoff import Backoff

__all__ = ["Circuit", "Gate"]


class Gate:
    """Admits calls of handlers: it is asked before each, so that even a frozen process finds out.

    `width` is how many may run at a time: the limit, 0 in a pause, 1 to probe after it. Whoever
    waits is called when that may have changed. While `is_on_hold` an operator wants nothing to be
    handled, nor to be read.
    """

    def __init__(self, *, limit: int) -> None:
        # Not the loop's clock: uvloop's stands still while the process is frozen within a callback.
        self._now = time.monotonic
        self._limit = limit
        self._width = limit
        self.is_on_hold = False
        self._valid_until = 0.0
        self._closed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._listeners: list[Callable[[], None]] = []

    @property
    def is_paused(self) -> bool:
        """Whether fewer may run than usual because everything fails."""
        return self._width < self._limit

    @property
    def is_closed(self) -> bool:
        """Whether no handler will be started any more."""
        return self._closed.is_set()

    def admits(self, running: int) -> bool:
        """Whether one more may be started while `running` are under way."""
        return (
            running < self._width
            and not self.is_on_hold
            and not self._closed.is_set()
            and self._now() < self._valid_until
        )

    def holds_for(self, seconds: float) -> bool:
        """Whether the lease lasts that long even if it is not renewed."""
        return self._now() + seconds < self._valid_until

    def admits_read(self, block_s: float) -> bool:
        """Whether a read that blocks that long will end while the partition is this process's.

        A new owner has seen what was pending, and would find what is read after that only behind
        what comes next.
        """
        return not self.is_closed and not self.is_on_hold and self.holds_for(block_s)

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call `listener` when more may be started than before, and when nothing may any more."""
        self._listeners.append(listener)

    def extend(self, valid_until: float) -> None:
        """The lease is held until then, by time.monotonic()."""
        self._valid_until = valid_until
        self._tell()

    def pause(self, seconds: float) -> None:
        """Start nothing for a while, then one at a time until `resume`."""
        if self._timer is not None:
            return
        self._width = 0
        self._timer = asyncio.get_running_loop().call_later(seconds, self._probe)

    def resume(self) -> None:
        """What failed works again."""
        if self._width < self._limit:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._width = self._limit
            self._tell()

    def hold(self, *, is_on: bool) -> None:
        """Start nothing while an operator wants that; what is under way ends as it will."""
        if is_on != self.is_on_hold:
            self.is_on_hold = is_on
            self._tell()

    def close(self) -> None:
        """Start nothing any more."""
        self._closed.set()
        if self._timer is not None:
            self._timer.cancel()
        self._tell()

    async def closed(self, timeout_s: float | None = None) -> None:
        """Wait until the gate is closed, or for that long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._closed.wait()
        except TimeoutError:
            return

    def _probe(self) -> None:
        self._timer = None
        self._width = 1
        self._tell()

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()


class Circuit(Struct):
    """Says when to pause: `threshold` different lanes failed transiently, and nothing succeeded.

    Something that all of them need is away then, and trying each entry in turn is of no use.

    One comment that fails again and again is one lane, and pauses nobody else.
    """

    backoff: Backoff
    threshold: int = 5
    _failing: set[str] = set()
    _pauses: int = 0

    def failed(self, lane: str, *, pause_s: float = 0.0, for_all: bool = False) -> float | None:
        """Note a transient failure; the seconds to pause, if the partition has to pause.

        The pause is at least `pause_s`, the one that the handler asked for. It does not wait for
        other lanes to fail if what is away is away `for_all`.
        """
        if len(self._failing) < self.threshold:
            self._failing.add(lane)
        if len(self._failing) < self.threshold and not for_all:
            return None
        self._pauses += 1
        return max(self.backoff.delay_s(self._pauses), pause_s)

    def answered(self) -> None:
        """Note any other result of an attempt: what the handlers need is there."""
        if self._failing:
            self._failing.clear()
            self._pauses = 0
