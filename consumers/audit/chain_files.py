"""Holds the open files of a chain for its one writer: the lock, the newest day, the head."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from consumers.audit.chain_head import HeadFile
from consumers.audit.records import Head, Signer
from gateway.durable_directory import fsync_directory, make_directory
from gateway.errors import GatewayError

__all__ = ["CannotWrite", "ChainFiles", "ChainTaken"]


class ChainTaken(GatewayError):
    """The chain is not ours to write to: another process has it."""


class CannotWrite(GatewayError):
    """The disk is full or broken. Nothing of the batch is in the log; try again later."""

    def __init__(self, chain: Path, error: OSError) -> None:
        super().__init__(f"{chain}: {error.strerror or error}")


class ChainFiles:
    """Writes the bytes of one chain, durably. Knows nothing of records but the head.

    Raises OSError where it does not say otherwise; what is half written then has to be cut off,
    and the files to be opened anew.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = -1
        self._file = -1
        self._head: HeadFile | None = None

    @property
    def is_open(self) -> bool:
        """Whether the files can be written to."""
        return self._head is not None

    def take(self) -> None:
        """Make the directory and lock it for this process. Raises ChainTaken, CannotWrite."""
        try:
            make_directory(self._directory)
            self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o640)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ChainTaken(f"{self._directory}: another process writes to it") from error
        except OSError as error:
            raise CannotWrite(self._directory, error) from error

    def refuse_untaken(self) -> None:
        """Raise ChainTaken if the chain was given back."""
        if self._lock < 0:
            raise ChainTaken(f"{self._directory}: closed by this process")

    def open(self, day: str) -> None:
        """Open the newest day's file, if there is any, and the head."""
        if day:
            path = self._directory / f"{day}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._head = HeadFile(self._directory)

    def begin_day(self, day: str) -> None:
        """Make the next day's file; what is appended from now on goes there."""
        path = self._directory / f"{day}.jsonl"
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o640)
        fsync_directory(self._directory)
        if self._file >= 0:
            os.close(self._file)
        self._file = file

    def append(self, data: bytes) -> None:
        """Add bytes to the newest day's file; on return they are on the disk."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._file, left) :]
        os.fdatasync(self._file)

    def write_head(self, head: Head, signer: Signer | None) -> None:
        """Replace the head, durably."""
        assert self._head is not None  # noqa: S101 - whoever writes has opened it
        self._head.write(head, signer)

    def cut_off(self, end: int) -> None:
        """Take off what stands behind `end`, if that is possible; opening anew does it, too."""
        with suppress(OSError):
            os.ftruncate(self._file, end)

    def drop(self) -> None:
        """Close the files, and keep the lock."""
        if self._head is not None:
            self._head.close()
            self._head = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def give_back(self) -> None:
        """Close the files, and let others have the chain."""
        self.drop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
