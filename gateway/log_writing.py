"""Writes log lines, so that nothing else depends on whether they can be written.

A thread writes them. Whoever logs puts a line into a bounded queue, which neither waits nor raises,
whatever has become of the file, the disk under it, or the reader of the pipe. What does not fit
into the queue, or cannot be written, is dropped and counted; when lines can be written again, one
of them says how many are missing.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Final

from gateway.vital_metrics import LOG_LINES_DROPPED

__all__ = ["LineWriter"]

_MAX_LINES: Final = 10_000
_MAX_BYTES: Final = 8 << 20
_CHUNK_BYTES: Final = 1 << 16
# As much as a pipe holds, and as much as can be lost by one error.
_TICK_S: Final = 1.0


class LineWriter:
    """Stands in for the file of `descriptor`, for those who log to a file; None is no file at all.

    `told_of` makes the line that says how many lines are missing. `each_second` gives lines that
    nobody has logged, such as those about others that were left out; it is called in the thread.
    Safe in threads and in forked processes.
    """

    def __init__(
        self,
        descriptor: int | None,
        *,
        told_of: Callable[[int], str],
        each_second: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        self._descriptor = descriptor
        self._told_of = told_of
        self._each_second = each_second
        self._begin()
        os.register_at_fork(after_in_child=self._begin)

    def _begin(self) -> None:
        """With nothing in hand: in a forked process, the lines are its parent's to write."""
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._lost = 0
        self._is_writable = True
        self._is_torn = False  # the file ends within a line
        self._is_busy = False
        self._thread: threading.Thread | None = None

    def write(self, text: str) -> int:
        """Have a text of whole lines written, soon or not at all. Neither waits nor raises."""
        line = text.encode(errors="backslashreplace")
        with self._changed:
            if len(self._lines) < _MAX_LINES and self._bytes < _MAX_BYTES and self._has_thread():
                self._lines.append(line)
                self._bytes += len(line)
                self._changed.notify_all()
            else:
                self._drop(1)
        return len(text)

    def flush(self) -> None:
        """Nothing waits for a file here."""

    def close(self, within_s: float) -> None:
        """Wait until everything is written, for so long at most. Lines may come after it."""
        for text in self._each_second():
            self.write(text)
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._is_busy, within_s)

    def _has_thread(self) -> bool:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="log", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # no more threads, or the interpreter is about to end
                return False
            self._thread = thread
        return True

    def _run(self) -> None:
        tick_at = monotonic() + _TICK_S
        while True:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()
                self._changed.wait_for(self._has_work, max(0.0, tick_at - monotonic()))
                self._is_busy = self._has_work()
                lines, missing = self._taken(), self._lost
            if self._is_busy:
                self._put(lines, missing)
            if monotonic() >= tick_at:
                tick_at = monotonic() + _TICK_S
                for text in self._each_second():
                    self.write(text)

    def _has_work(self) -> bool:
        # What is missing is told by itself where nothing speaks against it, else with a next line.
        return bool(self._lines) or (self._lost > 0 and self._is_writable)

    def _taken(self) -> list[bytes]:
        """The oldest lines, as many as are written at once."""
        lines: list[bytes] = []
        size = 0
        while self._lines and size < _CHUNK_BYTES:
            lines.append(self._lines.popleft())
            size += len(lines[-1])
        self._bytes -= size
        return lines

    def _put(self, lines: list[bytes], missing: int) -> None:
        """Write these lines, after one that tells of those that are missing."""
        ahead = b"\n" if self._is_torn else b""
        if missing:
            ahead += self._told_of(missing).encode(errors="backslashreplace")
        content = ahead + b"".join(lines)
        written, is_writable = self._written(content)
        whole, left = 0, written - len(ahead)
        for line in lines:
            if left < len(line):
                break
            left -= len(line)
            whole += 1
        with self._changed:
            self._is_writable = is_writable
            if written:
                self._is_torn = content[written - 1 : written] != b"\n"
            if written >= len(ahead):
                self._lost -= missing
            if whole < len(lines):
                self._drop(len(lines) - whole)

    def _written(self, content: bytes) -> tuple[int, bool]:
        """How much of it could be written, and whether that was all."""
        file, view, done = self._descriptor, memoryview(content), 0
        if file is None:
            return 0, False
        while done < len(view):
            try:
                done += os.write(file, view[done:])
            except BlockingIOError:  # whoever shares the file does not want to wait for it
                select.select([], [file], [], _TICK_S)
            except (OSError, ValueError):
                return done, False
        return done, True

    def _drop(self, lines: int) -> None:
        self._lost += lines
        LOG_LINES_DROPPED.inc(lines)
