"""Keeps installations and uninstallations under way on this machine's disk until they are through.

    <[spool] dir>/lifecycle/<receipt id>.<member id>.<kind>[@<client>]     for their owner only

Both take several steps in several places, and Bitrix24 tells of each once. So each is written down
before its first step, and taken up again by any worker of this machine when the one that was at it
has died, or when the authorization server or Redis was out of reach. Every step may be repeated.

Who works at one holds a lock on its file, which the kernel lifts when a process dies. What is kept
of an installation is encrypted by the vault. Everything here blocks.
"""

import fcntl
import os
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import quote, unquote

import msgspec
import structlog
from msgspec import Struct

from gateway.durable_directory import fsync_directory, make_directory
from gateway.errors import GatewayError

__all__ = ["Journal", "JournalUnavailable", "Kind", "Name", "Task", "TooManyWait", "UnderWay"]

log: Any = structlog.get_logger(__name__)

Kind: TypeAlias = Literal["install", "reinstall", "uninstall"]

_DIRECTORY: Final = "lifecycle"
_MAX_TASKS: Final = {"install": 100, "reinstall": 100, "uninstall": 1000}
# Anybody can claim an installation; whoever uninstalls or installs again has a portal's token.
_MAX_OF_PARTY: Final = 4
_ID_CHARS: Final = 36
_DRAFT_S: Final = 60.0


class JournalUnavailable(GatewayError):
    """It was not written down: there are too many, or the disk does not take it."""


class TooManyWait(JournalUnavailable):
    """There are too many already, or too many of this sender."""


class Task(Struct, frozen=True, kw_only=True):
    """What is to be done.

    `content` is the delivery, sealed, or what an uninstallation needs instead, in which there is no
    secret. `received_ms` is Unix time. `client` stands for whoever claims an installation; it is
    empty where that does not matter, or is not known.
    """

    kind: Kind
    receipt_id: str
    member_id: str
    received_ms: int
    content: bytes
    client: str = ""

    @property
    def party(self) -> str:
        """On whose account it is: the client's, or the portal's with whose token it came."""
        return self.client or self.member_id


class Name(Struct, frozen=True, order=True):
    """What a task's file is called; names are in the order of receipt."""

    receipt_id: str
    member_id: str
    kind: str
    client: str = ""

    def __str__(self) -> str:
        client = f"@{self.client}" if self.client else ""
        return f"{self.receipt_id}.{quote(self.member_id, safe='')}.{self.kind}{client}"

    @property
    def party(self) -> str:
        """On whose account it is: the client's, or the portal's with whose token it came."""
        return self.client or self.member_id

    def waits_for(self, other: "Name") -> bool:
        """Whether it has to wait until the other is through: one portal's go in their order.

        Installations that are only claimed do not wait for each other, or a forged one could keep
        the genuine one waiting.
        """
        is_earlier = other.member_id == self.member_id and other.receipt_id < self.receipt_id
        return is_earlier and not self.kind == other.kind == "install"


class UnderWay:
    """Holds a task that this process works at, and nobody else; to be finished or left."""

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
    """Keeps the tasks of this machine."""

    def __init__(self, spool_dir: Path) -> None:
        self._directory = spool_dir / _DIRECTORY

    def begin(self, task: Task) -> UnderWay:
        """Write a task down, and work at it; it is on the disk when this returns.

        Of installations each sender has a few places, and when all are taken the one who has most
        gives one up. Raises JournalUnavailable, before anything is
        written if it is TooManyWait.
        """
        name = Name(task.receipt_id, task.member_id, task.kind, task.client)
        try:
            make_directory(self._directory, mode=0o700)
            self._need_place(name)
            path, draft = self._directory / str(name), self._directory / f".{name}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(draft, flags, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _write(descriptor, msgspec.msgpack.encode(task))
                draft.rename(path)
                fsync_directory(self._directory)
            except OSError:
                os.close(descriptor)
                draft.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise JournalUnavailable(str(error)) from error
        return UnderWay(task, path, descriptor)

    def _need_place(self, name: Name) -> None:
        alike = [one for one in self.names() if one.kind == name.kind]
        parties = Counter(one.party for one in alike)
        if name.kind != "uninstall" and parties[name.party] >= _MAX_OF_PARTY:
            raise TooManyWait("too many of this sender wait already")
        if len(alike) < _MAX_TASKS[name.kind]:
            return
        fullest = max(parties, key=parties.__getitem__)
        given_up = parties[fullest] > parties[name.party] + 1 and any(
            self._give_up(one) for one in alike if one.party == fullest
        )
        if not given_up:
            raise TooManyWait("too many wait already")

    def _give_up(self, name: Name) -> bool:
        """Cross a task out that nobody works at; whether that was done."""
        under_way = self.resume(name)
        if under_way is not None:
            under_way.finish()
        return under_way is not None

    def names(self) -> list[Name]:
        """What waits or is under way, in the order of receipt."""
        try:
            files = [entry.name for entry in self._directory.iterdir()]
        except OSError:
            return []
        return sorted(_name(file) for file in files if not file.startswith("."))

    def is_first(self, task: Task) -> bool:
        """Whether nothing that it has to wait for waits or is under way."""
        ours = Name(task.receipt_id, task.member_id, task.kind, task.client)
        return not any(ours.waits_for(name) for name in self.names())

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
    member_id, _, what = file[_ID_CHARS + 1 :].rpartition(".")
    kind, _, client = what.partition("@")
    return Name(file[:_ID_CHARS], unquote(member_id), kind, client)


def _write(descriptor: int, content: bytes) -> None:
    if os.write(descriptor, content) != len(content):
        raise OSError("the disk is full")
    os.fsync(descriptor)
