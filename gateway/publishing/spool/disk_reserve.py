"""Keeps room free on the spool's disk, because emptying a database takes room too.

A deletion is written to SQLite's log before anything shrinks. On a disk that is full to the last
byte the backlog could therefore be published, but never removed, and the spool would stay full for
good. The reserve is a file of no content: events are taken in only while it is there, and it is
given up when a removal finds no room.
"""

import os
from pathlib import Path
from typing import Final

__all__ = ["RESERVE_BYTES", "SpoolReserve"]

RESERVE_BYTES: Final = 1 << 20
# What a removal may need: room for the log's pages in the file (512 kB at the log's usual limit),
# and then the log of removing as many batches as go in one call (some 200 kB).


class SpoolReserve:
    """Keeps the reserve in `directory`. Processes share it; all methods may be called any time."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "spool.reserve"

    def hold(self) -> None:
        """Make sure that the room is reserved; raises OSError if there is none."""
        if self._is_held():
            return
        # Random, so that no file system saves the room by packing it.
        content = os.urandom(RESERVE_BYTES)
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            draft.write_bytes(content)
            draft.rename(self._path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def release(self) -> bool:
        """Give the room up; False if it was not reserved."""
        was_held = self._is_held()
        self._path.unlink(missing_ok=True)
        return was_held

    def _is_held(self) -> bool:
        try:
            return self._path.stat().st_size == RESERVE_BYTES
        except FileNotFoundError:
            return False
