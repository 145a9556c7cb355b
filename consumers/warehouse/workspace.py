"""Gives a process a directory of its own below `[warehouse] work_dir`, which it finds empty."""

import fcntl
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from zlib import crc32

from gateway.errors import OperatorError

__all__ = ["Workspace"]


class Workspace:
    """Takes a directory that only this process uses, and empties it.

    It is `<dir>/<n>` with the first `n` whose lock is free, so that a process that was killed
    leaves nothing behind that its successor does not find and empty. `name` differs between all
    processes that are alive, on this machine and on others. Raises OperatorError for a directory
    that cannot be used.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory.absolute()
        self.slot, self._lock, number = _first_free(self.directory)
        self.name = f"{_here(directory):08x}_{number}"
        self.empty()

    @property
    def path(self) -> Path:
        """The directory."""
        return self.slot / "dlt"

    def empty(self) -> None:
        """Forget what an earlier, perhaps interrupted load left."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)

    def close(self) -> None:
        """Remove the directory's contents and let others have it. May be called twice."""
        shutil.rmtree(self.path, ignore_errors=True)
        with suppress(OSError):
            os.close(self._lock)


def _here(directory: Path) -> int:
    """A number of this directory on this machine: containers may share all but the file system."""
    found = directory.stat()
    return crc32(
        f"{socket.gethostname()}:{directory.absolute()}:{found.st_dev}:{found.st_ino}".encode()
    )


def _first_free(directory: Path) -> tuple[Path, int, int]:
    """A subdirectory, its held lock (a file descriptor), and its number."""
    number = 0
    while True:
        slot = directory / str(number)
        try:
            slot.mkdir(parents=True, exist_ok=True)
            lock = os.open(slot / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperatorError(f"[warehouse] work_dir: {error}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            number += 1
        else:
            return slot, lock, number
