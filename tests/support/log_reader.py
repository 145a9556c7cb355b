"""Reads the log of a process through a pipe, until it is told not to."""

import os
import select
import threading
from pathlib import Path

__all__ = ["LogReader"]


class LogReader:
    """Reads a pipe to a file, until it is told to pause, or to go for good."""

    def __init__(self, end: int, path: Path) -> None:
        """`end` is closed by this reader."""
        self._end = end
        self._path = path
        self._reads = threading.Event()
        self._reads.set()
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """Let the pipe fill up."""
        self._reads.clear()

    def resume(self) -> None:
        """Read on."""
        self._reads.set()

    def die(self) -> None:
        """Close the pipe: whoever writes to it is told so. May be repeated."""
        self._is_over = True
        self._reads.set()
        self._thread.join()

    def _run(self) -> None:
        with self._path.open("ab") as file:
            while not self._is_over:
                self._reads.wait()
                if not select.select([self._end], [], [], 0.1)[0]:
                    continue
                if not (some := os.read(self._end, 1 << 16)):
                    break
                file.write(some)
                file.flush()
        os.close(self._end)
