"""The spool's file: batches in SQLite, in the order in which they came.

SQLite in WAL mode with synchronous=FULL: a batch is on the disk when `append` returns, and a
process or machine that dies at any point leaves a file that opens again
(https://www.sqlite.org/wal.html). Several processes may use one file. An instance belongs to one
thread.

A file that turns out to be corrupt is renamed, never deleted, and a new one begun. Who renames
holds the lock exclusively, who uses the file holds it shared, and each use looks first whether
the file is still the one that was opened.
"""

import errno
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Any, Final, TypeVar
from zlib import crc32

import msgspec
import structlog
from msgspec import Struct
from uuid_utils import uuid7

from gateway.errors import GatewayError
from gateway.publishing.spool_reserve import SpoolReserve

__all__ = ["SpoolFile", "SpoolUnavailable", "SpooledBatch"]

log: Any = structlog.get_logger(__name__)
T = TypeVar("T")

_VERSION: Final = 1
_PAGE_BYTES: Final = 4096
_LOG_PAGES: Final = 128
# When SQLite folds its log into the file: the spool's reserve has to have room for that.
_MARK_BYTES: Final = 16
_ROOM_PAGES: Final = 8  # a batch of thirty events, and the pages of the index
_CORRUPT: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SCHEMA: Final = """
    CREATE TABLE batch (
        position      INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: it is the order
        partition     INTEGER NOT NULL,
        producer      TEXT    NOT NULL,  -- producer and sequence identify the batch to Redis
        sequence      INTEGER NOT NULL,
        spooled_at_ms INTEGER NOT NULL,
        event_count   INTEGER NOT NULL,
        events        BLOB    NOT NULL,  -- MessagePack array of binaries
        checksum      INTEGER NOT NULL   -- CRC-32 of events
    ) STRICT;
    CREATE INDEX batch_by_partition ON batch (partition, position);
"""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


class SpoolUnavailable(GatewayError):
    """The spool cannot take or give anything now; `reason` is `full`, `busy` or `broken`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class SpooledBatch(Struct, frozen=True):
    """A batch in the spool, with the identity under which Redis may know it already."""

    partition: int
    producer: str
    sequence: int
    events: list[bytes]
    position: int = 0


class SpoolFile:
    """The file in `directory`, which is made if it is missing; `max_bytes` bounds its size.

    Opening reads the whole file to check it, unless `is_checked` is false.
    Every method raises SpoolUnavailable when the file cannot be used.
    """

    def __init__(self, directory: Path, *, max_bytes: int, is_checked: bool = True) -> None:
        self._is_checked = is_checked
        self._path = directory / "spool.sqlite3"
        self._reserve = SpoolReserve(directory)
        self._max_pages = max(16, max_bytes // _PAGE_BYTES)
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._lock = _open_shared(directory / "spool.lock")
            self._mark = _open_shared(directory / "spool.mark")
        except OSError as error:
            raise SpoolUnavailable("broken", str(error)) from error
        try:
            self._use(lambda _: None)
        except BaseException:
            self.close()
            raise

    @property
    def mark(self) -> bytes:
        """Changes whenever a process has appended: 16 bytes, read in half a microsecond.

        A process that is killed between appending and marking leaves the mark as it was; what it
        appended was not confirmed to anybody, and the drainer, which looks at the file, finds it.
        """
        return os.pread(self._mark, _MARK_BYTES, 0)

    def append(self, batches: Sequence[SpooledBatch]) -> None:
        """Add batches in this order; they are on the disk when this returns, all or none."""
        now_ms = time_ns() // 1_000_000
        rows = [
            (
                batch.partition,
                batch.producer,
                batch.sequence,
                now_ms,
                len(batch.events),
                blob := _encode(batch.events),
                crc32(blob),
            )
            for batch in batches
        ]

        def insert(connection: sqlite3.Connection) -> None:
            self._reserve.hold()
            with connection:
                connection.executemany(
                    "INSERT INTO batch (partition, producer, sequence, spooled_at_ms,"
                    " event_count, events, checksum) VALUES (?, ?, ?, ?, ?, ?, ?)",
                    rows,
                )

        self._use(insert)
        try:
            os.pwrite(self._mark, uuid7().bytes, 0)
        except OSError as error:
            raise SpoolUnavailable("broken", str(error)) from error

    def has_backlog(self, partition: int) -> bool:
        """True if a batch of this partition waits."""
        return self._use(
            lambda connection: (
                connection.execute(
                    "SELECT 1 FROM batch WHERE partition = ? LIMIT 1", (partition,)
                ).fetchone()
                is not None
            )
        )

    def partitions(self) -> list[int]:
        """The partitions that have a backlog."""
        return self._use(
            lambda connection: [
                row[0] for row in connection.execute("SELECT DISTINCT partition FROM batch")
            ]
        )

    def oldest(self, partition: int, limit: int) -> list[SpooledBatch]:
        """Up to `limit` batches of a partition, the oldest first."""

        def select(connection: sqlite3.Connection) -> list[SpooledBatch]:
            rows = connection.execute(
                "SELECT position, producer, sequence, events, checksum FROM batch"
                " WHERE partition = ? ORDER BY position LIMIT ?",
                (partition, limit),
            ).fetchall()
            if any(crc32(blob) != checksum for _, _, _, blob, checksum in rows):
                raise _corrupt("a batch's checksum is wrong")
            return [
                SpooledBatch(partition, producer, sequence, _decode(blob), position)
                for position, producer, sequence, blob, _ in rows
            ]

        return self._use(select)

    def all_of(self, partition: int) -> list[SpooledBatch]:
        """All batches of a partition, the oldest first."""
        return self.oldest(partition, -1)

    def remove(self, positions: Sequence[int]) -> None:
        """Forget batches that are on their stream; gives disk space back when none are left.

        Works on a full disk.
        """

        def delete(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(
                    "DELETE FROM batch WHERE position = ?", [(p,) for p in positions]
                )
            if connection.execute("SELECT 1 FROM batch LIMIT 1").fetchone() is None:
                connection.execute("PRAGMA incremental_vacuum").fetchall()
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

        def delete_after_folding_the_log(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            delete(connection)

        try:
            self._use(delete)
        except SpoolUnavailable as error:
            if error.reason == "busy" or not self._reserve.release():
                raise
            self._use(delete_after_folding_the_log)

    def totals(self) -> tuple[int, int, int]:
        """How many events wait, how many bytes they take, and since when (Unix ms, 0 if none)."""
        return self._use(
            lambda connection: tuple(
                connection.execute(
                    "SELECT coalesce(sum(event_count), 0), coalesce(sum(length(events)), 0),"
                    " coalesce(min(spooled_at_ms), 0) FROM batch"
                ).fetchone()
            )
        )

    def has_room(self) -> bool:
        """True if a batch of some size can be appended."""

        def count(connection: sqlite3.Connection) -> int:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
            return self._max_pages - int(pages) + int(unused)

        return self._use(count) >= _ROOM_PAGES

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        os.close(self._mark)
        os.close(self._lock)

    def _use(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Act on the file, opening it if need be; once more on a new one if it is corrupt."""
        try:
            with self._locked(fcntl.LOCK_SH):
                return act(self._opened())
        except sqlite3.Error as error:
            if not _is_corrupt(error):
                raise _unavailable(error) from error
            self._set_aside(error)
        except OSError as error:
            raise _unavailable(error) from error
        try:
            with self._locked(fcntl.LOCK_SH):
                return act(self._opened())
        except (sqlite3.Error, OSError) as error:
            raise _unavailable(error) from error

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        fcntl.flock(self._lock, how)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _opened(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._is_still_there():
                return self._connection
            self._connection.close()
            self._connection = None
        is_new = not self._path.exists()
        self._inode = 0 if is_new else self._path.stat().st_ino
        connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
        try:
            try:
                self._prepare(connection)
            except sqlite3.OperationalError as error:
                # SQLite's shared memory has to be made anew, and the disk is full.
                if _unavailable(error).reason != "full" or not self._reserve.release():
                    raise
                self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        if is_new:
            self._path.chmod(0o600)
            _fsync_directory(self._path.parent)
        self._connection, self._inode = connection, self._path.stat().st_ino
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}").fetchone()
        connection.execute(f"PRAGMA max_page_count = {self._max_pages}").fetchone()
        if self._is_checked:
            problem = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if problem != "ok":
                raise _corrupt(problem)
        version = _version_of(connection)
        if version == 0:
            version = _create(connection)
        if version != _VERSION:
            raise SpoolUnavailable(
                "broken", f"{self._path} was written by another version ({version})"
            )

    def _is_still_there(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Rename the corrupt file, unless another process has done so already."""
        with self._locked(fcntl.LOCK_EX):
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if not self._is_still_there():
                return
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
            aside = self._path.with_name(f"{self._path.name}.corrupt-{stamp}")
            for suffix in ("-wal", "-shm", ""):
                part = Path(f"{self._path}{suffix}")
                if part.exists():
                    part.rename(f"{aside}{suffix}")
            _fsync_directory(self._path.parent)
        log.error(
            "the spool is corrupt and was set aside; events in it are not published",
            file=str(aside),
            error=str(error),
            what_to_do="gateway spool recover FILE, see docs/reliability.md",
        )


def _create(connection: sqlite3.Connection) -> int:
    """Make a new file's tables, unless another process was first; returns the version."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = _version_of(connection)
        if version == 0:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            version = _VERSION
    return version


def _version_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _open_shared(path: Path) -> int:
    """A small file that all processes of this machine's gateway have open."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _fsync_directory(directory: Path) -> None:
    """Make the creation or renaming of a file durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _corrupt(text: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(text)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _is_corrupt(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _CORRUPT


def _unavailable(error: Exception) -> SpoolUnavailable:
    if isinstance(error, OSError):
        is_full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        return SpoolUnavailable("full" if is_full else "broken", str(error))
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return SpoolUnavailable("full", str(error))
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return SpoolUnavailable("busy", str(error))
    return SpoolUnavailable("broken", str(error))
