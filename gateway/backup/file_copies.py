"""Copies what a machine keeps in files, while its processes go on; puts it into empty directories.

The spool's database is copied by SQLite itself, which is whole at every moment. Of the audit log
the head is copied before the records: what is behind a head is cut off when the log is opened, and
a head in front of its records would be damage.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from gateway.backup.manifest import new_file
from gateway.durable_directory import fsync_directory, make_directory
from gateway.errors import OperatorError

__all__ = ["copy_audit_log", "copy_spool", "is_empty", "put_into"]

_DATABASE: Final = "spool.sqlite3"
_OF_A_RUN: Final = (
    "spool.lock",
    "spool.turn",
    "spool.reserve*",
    "senders-*",
    f"{_DATABASE}-wal",
    f"{_DATABASE}-shm",
)
# Locks, room that is kept free, what is fetched anew, and what the database's copy has in it.
_LOCK: Final = "lock"
_HEAD: Final = "head"
_TRIES: Final = 5


def copy_spool(directory: Path, target: Path) -> list[Path]:
    """Copy a spool into a directory that is not there yet; the files there.

    Raises OperatorError where the spool cannot be read, and OSError.
    """
    _make(target)
    copies = []
    for path in sorted(directory.rglob("*")):
        copy = target / path.relative_to(directory)
        if path.is_dir():
            _make(copy)
            continue
        if any(path.match(pattern) for pattern in _OF_A_RUN):
            continue
        if path == directory / _DATABASE:
            _copy_database(path, copy)
        elif not _copy(path, copy):  # such as of an installation that has just ended
            continue
        copies.append(copy)
    return copies


def copy_audit_log(directory: Path, target: Path) -> list[Path]:
    """Copy an audit log into a directory that is not there yet; the files there.

    Raises OSError.
    """
    _make(target)
    copies = []
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            copies += _copy_chain(path, target / path.name)
        elif _copy(path, target / path.name):
            copies.append(target / path.name)
    return copies


def is_empty(directory: Path) -> bool:
    """Whether there is no such directory, or nothing in it."""
    return not directory.exists() or not any(directory.iterdir())


def put_into(directory: Path, source: Path) -> int:
    """Copy what is in `source` into a directory, durably; how many files. Raises OSError."""
    make_directory(directory, mode=0o700)
    count = 0
    for path in sorted(source.rglob("*")):
        copy = directory / path.relative_to(source)
        if path.is_dir():
            make_directory(copy, mode=0o700)
        else:
            _copy(path, copy)
            count += 1
    for changed in _directories(directory):
        fsync_directory(changed)
    return count


def _copy_chain(chain: Path, target: Path) -> list[Path]:
    """Copy one chain; anew if a file was compressed or removed meanwhile."""
    for _ in range(_TRIES):
        _make(target)
        names = sorted(
            (path.name for path in chain.iterdir() if path.is_file() and path.name != _LOCK),
            key=lambda name: (name != _HEAD, name),
        )
        copies = [target / name for name in names if _copy(chain / name, target / name)]
        if len(copies) == len(names):
            return copies
        shutil.rmtree(target)
    raise OperatorError(f"{chain}: its files changed again and again while they were copied")


def _copy_database(path: Path, copy: Path) -> None:
    uri = f"{path.absolute().as_uri()}?mode=rw"  # to read a log beside it, SQLite has to write
    try:
        with (
            new_file(copy),  # which has it on the disk at the end
            closing(sqlite3.connect(uri, uri=True)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # so that it is one file
    except sqlite3.Error as error:
        raise OperatorError(f"{path}: {error}") from error


def _copy(path: Path, copy: Path) -> bool:
    """Copy a file; False if it is there no more."""
    try:
        with path.open("rb") as source, new_file(copy) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except FileNotFoundError:
        copy.unlink(missing_ok=True)
        return False
    return True


def _make(directory: Path) -> None:
    directory.mkdir(mode=0o700)


def _directories(directory: Path) -> Iterator[Path]:
    yield directory
    yield from (path for path in directory.rglob("*") if path.is_dir())
