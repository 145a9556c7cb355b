"""Installations and uninstallations under way, on this machine's disk until they are through.

    <[spool] dir>/lifecycle/<receipt id>.<member id>.<kind>     readable by their owner only

Both take several steps in several places, and Bitrix24 tells of each once. So each is written down
before its first step, and taken up again by any worker of this machine when the one that was at it
has died, or when the authorization server or Redis was out of reach. Every step may be repeated.

Who works at one holds a lock on its file, which the kernel lifts when a process dies. What is kept
of an installation is encrypted by the vault. Everything here blocks.
"""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, unquote

import msgspec
import structlog
from msgspec import Struct

from gateway.errors import GatewayError
from gateway.publishing.durable_directory import make_directory

__all__ = ["Journal", "JournalUnavailable", "Kind", "Name", "Task", "UnderWay"]

log: Any = structlog.get_logger(__name__)

Kind: TypeAlias = Literal["install", "reinstall", "uninstall"]

_DIRECTORY: Final = "lifecycle"
_MAX_TASKS: Final = {"install": 100, "reinstall": 100, "uninstall": 1000}
# Anybody can claim an installation; whoever uninstalls or installs again has a portal's token.
_ID_CHARS: Final = 36
_DRAFT_S: Final = 60.0


class JournalUnavailable(GatewayError):
    """It was not written down: there are too many, or the disk does not take it."""


class Task(Struct, frozen=True, kw_only=True):
    """What is to be done.

    `content` is the delivery, sealed, or what an uninstallation needs instead, in which there is no
    secret. `received_ms` is Unix time.
    """

    kind: Kind
    receipt_id: str
    member_id: str
    received_ms: int
    content: bytes


class Name(Struct, frozen=True, order=True):
    """What a task's file is called; names are in the order of receipt."""

    receipt_id: str
    member_id: str
    kind: str

    def __str__(self) -> str:
        return f"{self.receipt_id}.{quote(self.member_id, safe='')}.{self.kind}"


class UnderWay:
    """A task that this process works at, and nobody else; to be finished or left."""

    def __init__(self, task: Task, path: Path, descriptor: int) -> None:
        self.task = task
        self._path = path
        self._descriptor = descriptor

    def finish(self) -> None:
        """It is through."""
        self._path.unlink(missing_ok=True)
        self.leave()

    def leave(self) -> None:
        """Leave it to be taken up again; harmless after `finish`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class Journal:
    """The tasks of this machine."""

    def __init__(self, spool_dir: Path) -> None:
        self._directory = spool_dir / _DIRECTORY

    def begin(self, task: Task) -> UnderWay:
        """Write a task down, and work at it; it is on the disk when this returns.

        Raises JournalUnavailable.
        """
        name = Name(task.receipt_id, task.member_id, task.kind)
        try:
            make_directory(self._directory, mode=0o700)
            if sum(name.kind == task.kind for name in self.names()) >= _MAX_TASKS[task.kind]:
                raise JournalUnavailable("too many wait already")
            path, draft = self._directory / str(name), self._directory / f".{name}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(draft, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _write(descriptor, msgspec.msgpack.encode(task))
                draft.rename(path)
                _sync_directory(self._directory)
            except OSError:
                os.close(descriptor)
                draft.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise JournalUnavailable(str(error)) from error
        return UnderWay(task, path, descriptor)

    def names(self) -> list[Name]:
        """What waits or is under way, in the order of receipt."""
        try:
            files = [entry.name for entry in self._directory.iterdir()]
        except OSError:
            return []
        return sorted(_name(file) for file in files if not file.startswith("."))

    def is_first(self, task: Task) -> bool:
        """Whether nothing earlier of the same portal waits or is under way."""
        return not any(
            name.member_id == task.member_id and name.receipt_id < task.receipt_id
            for name in self.names()
        )

    def resume(self, name: Name) -> UnderWay | None:
        """Work at a task again; None if somebody does, or it is through."""
        path = self._directory / str(name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists():  # else it was finished before the lock was ours
                task = msgspec.msgpack.decode(path.read_bytes(), type=Task)
                return UnderWay(task, path, descriptor)
        except OSError:
            pass
        except msgspec.DecodeError as error:
            log.error("a task of the journal is unreadable and given up", why=str(error))
            path.unlink(missing_ok=True)
        os.close(descriptor)
        return None

    def clean(self) -> None:
        """Remove what processes that died had begun to write."""
        oldest = time.time() - _DRAFT_S
        with suppress(OSError):
            for draft in self._directory.glob(".*"):
                if draft.stat().st_mtime < oldest:
                    draft.unlink(missing_ok=True)


def _name(file: str) -> Name:
    member_id, _, kind = file[_ID_CHARS + 1 :].rpartition(".")
    return Name(file[:_ID_CHARS], unquote(member_id), kind)


def _write(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) != len(content):
        raise OSError("the disk is full")
    os.fsync(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
