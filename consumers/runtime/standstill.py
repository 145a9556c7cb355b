"""Notices that the event loop stood still: for how long, and in whose code.

A handler that blocks keeps everything else from running: other handlers, the leases, and the
reading of replies, whose time-outs then look as if Redis were to blame. The loop notes the time
every quarter of a second; a thread looks whether it does, and if not, at what the loop is doing.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
from msgspec import Struct
from redis.exceptions import TimeoutError as RedisTimeoutError

__all__ = ["Standstill"]

log = structlog.get_logger()

_STILL_S: Final = 1.0
"""Whoever keeps the loop for so long is told of: a sixth of the default lease."""
_TICK_S: Final = 0.25
_RECENT_S: Final = 2.0
"""A time-out that comes so shortly after a standstill is its doing: it waits for the loop, too."""
_AGAIN_S: Final = 60.0
"""The same place is told of once in this time."""
_RUNTIME: Final = str(Path(__file__).parent)


class _Where(Struct, frozen=True):
    """The author's function that has the loop, and the line of it that runs."""

    function: str
    line: str


class Standstill:
    """Watches the loop that runs `run`; `noted` is told the seconds of each standstill."""

    def __init__(self, noted: Callable[[float], None]) -> None:
        self._noted = noted
        self._ticked_at = time.monotonic()
        self._ended_at = float("-inf")
        self._where: _Where | None = None
        self._told_at: dict[_Where | None, float] = {}
        self._stopping = threading.Event()
        self._loop_thread = threading.get_ident()

    def explains(self, error: Exception) -> bool:
        """Whether an error says only that the loop came back too late to see the answer."""
        if not isinstance(error, RedisTimeoutError | TimeoutError):
            return False
        now = time.monotonic()
        return now - self._ticked_at > _STILL_S or now - self._ended_at < _RECENT_S

    async def run(self) -> None:
        """Watch, until cancelled."""
        self._loop_thread = threading.get_ident()
        self._ticked_at = time.monotonic()
        watcher = threading.Thread(target=self._look, name="standstill", daemon=True)
        watcher.start()
        try:
            while True:
                await asyncio.sleep(_TICK_S)
                self._tick(time.monotonic())
        finally:
            self._stopping.set()

    def _tick(self, now: float) -> None:
        still_s, self._ticked_at = now - self._ticked_at - _TICK_S, now
        where, self._where = self._where, None
        if still_s < _STILL_S:
            return
        self._ended_at = now
        self._noted(still_s)
        if now - self._told_at.get(where, float("-inf")) < _AGAIN_S:
            return
        self._told_at = {one: at for one, at in self._told_at.items() if now - at < _AGAIN_S}
        self._told_at[where] = now
        if where is None:
            # Nor did the thread run: the process was paused, or something kept the interpreter.
            log.warning("the process stood still", seconds=round(still_s, 1))
        else:
            log.warning(
                "the event loop stood still",
                seconds=round(still_s, 1),
                handler=where.function,
                line=where.line,
                what_to_do="what blocks belongs in asyncio.to_thread",
            )

    def _look(self) -> None:
        """In the thread: note where the loop is, once it has been there for too long."""
        while not self._stopping.wait(_TICK_S):
            if self._where is None and time.monotonic() - self._ticked_at > _STILL_S:
                frames = sys._current_frames()  # noqa: SLF001 - the only way to see another thread
                self._where = _where(frames.get(self._loop_thread))


def _where(frame: FrameType | None) -> _Where | None:
    """The first frame that the runtime has called, which is the handler; else the innermost one."""
    inner = found = frame
    while frame is not None:
        if frame.f_code.co_filename.startswith(_RUNTIME):
            found = inner
            break
        inner, frame = frame, frame.f_back
    if found is None:
        return None
    code = found.f_code
    return _Where(code.co_qualname, f"{code.co_filename}:{found.f_lineno}")
