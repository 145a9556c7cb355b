"""Sees, from a thread of its own, where a handler keeps the event loop, or never ends."""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msgspec import Struct

from consumers.checking.author_code import Place, line_in_frame
from consumers.checking.watched_consumer import RunningCall, WatchedConsumer

__all__ = ["Blocking", "LoopWatch"]

_STILL_S: Final = 1.0
"""Whoever keeps the loop for so long is told of, as in production."""
_TICK_S: Final = 0.1


class Blocking(Struct, frozen=True):
    """For how many seconds the loop stood still, at which line, and in which call if in one."""

    seconds: float
    place: Place
    call: RunningCall | None


class LoopWatch:
    """Notes for how long the loop stood still; tells `on_stuck` of what lasts `stuck_s`.

    `on_stuck` is called once, in the watching thread, with the call and the line that runs if that
    keeps the loop: nothing else can happen in this process any more, or the call resists being
    cancelled. There is no call where one of the consumer's contexts keeps the loop.
    """

    def __init__(
        self,
        consumer: WatchedConsumer,
        *,
        stuck_s: float,
        on_stuck: Callable[[RunningCall | None, Place | None], None],
    ) -> None:
        self._consumer = consumer
        self._stuck_s = stuck_s
        self._on_stuck = on_stuck
        self._ticked_at = 0.0
        self._seen: tuple[Place, RunningCall | None] | None = None
        self._blockings: list[Blocking] = []
        self._is_over = threading.Event()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch the loop that runs this."""
        thread = threading.Thread(
            target=self._look, args=(threading.get_ident(),), name="loop watch", daemon=True
        )
        loop = asyncio.get_running_loop()
        self._ticked_at = time.monotonic()
        self._tick(loop)
        thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            thread.join()

    def taken(self) -> list[Blocking]:
        """What was noted since this was asked last."""
        self._note()
        noted, self._blockings = self._blockings, []
        return noted

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._note()
        if not self._is_over.is_set():
            loop.call_later(_TICK_S, self._tick, loop)

    def _note(self) -> None:
        now = time.monotonic()
        still_s, self._ticked_at = now - self._ticked_at - _TICK_S, now
        seen, self._seen = self._seen, None
        if still_s > _STILL_S and seen is not None:  # else it was the machine that stood still
            self._blockings.append(Blocking(still_s, *seen))

    def _look(self, loop_thread: int) -> None:
        """In the thread: note where the loop is, once it has been there for too long."""
        is_told = False
        while not self._is_over.wait(_TICK_S):
            now = time.monotonic()
            running = list(self._consumer.running.values())
            if self._seen is None and now - self._ticked_at > _STILL_S:
                frames = sys._current_frames()  # noqa: SLF001 - the only way to see another thread
                place = line_in_frame(frames.get(loop_thread))
                if place is not None:  # which call it is, is known of a single one only
                    self._seen = (place, running[0] if len(running) == 1 else None)
            call = next(iter(running), None)
            since = self._ticked_at if call is None else call.since
            is_stuck = call is not None or self._seen is not None
            if is_stuck and now - since > self._stuck_s and not is_told:
                is_told = True
                self._on_stuck(call, None if self._seen is None else self._seen[0])
