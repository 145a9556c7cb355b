"""The spool's SQLite database: opening it, sharing it, and setting it aside when it is corrupt.

WAL mode with synchronous=FULL: what a transaction wrote is on the disk when it returns, and a
process or machine that dies at any point leaves a file that opens again
(https://www.sqlite.org/wal.html).

A file that turns out to be corrupt is renamed, never deleted, and a new one begun. Who renames
holds the lock exclusively, who uses the file holds it shared, and each use looks first whether
the file is still the one that was opened.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool_faults import corrupt, is_corrupt, unavailable
from gateway.publishing.spool_reserve import SpoolReserve

__all__ = ["SpoolDatabase", "open_shared"]

log: Any = structlog.get_logger(__name__)
T = TypeVar("T")

_VERSION: Final = 2
_PAGE_BYTES: Final = 4096
_LOG_PAGES: Final = 128
# When SQLite folds its log into the file: the spool's reserve has to have room for that.
_ROOM_PAGES: Final = 8  # a batch of thirty events, and the pages of the index
_SCHEMA: Final = (
    """CREATE TABLE batch (
        position      INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice: it is the order
        partition     INTEGER NOT NULL,
        producer      TEXT    NOT NULL,  -- producer and sequence identify the batch to Redis
        sequence      INTEGER NOT NULL,
        spooled_at_ms INTEGER NOT NULL,
        event_count   INTEGER NOT NULL,
        events        BLOB    NOT NULL,  -- MessagePack array of binaries
        checksum      INTEGER NOT NULL   -- CRC-32 of events
    ) STRICT""",
    "CREATE INDEX batch_by_partition ON batch (partition, position)",
    # One row: counting a backlog of millions would hold up whoever wants to append.
    "CREATE TABLE total (events INTEGER NOT NULL, event_bytes INTEGER NOT NULL) STRICT",
    "INSERT INTO total VALUES (0, 0)",
    """CREATE TRIGGER batch_added AFTER INSERT ON batch BEGIN
        UPDATE total SET events = events + new.event_count,
                         event_bytes = event_bytes + length(new.events);
    END""",
    """CREATE TRIGGER batch_removed AFTER DELETE ON batch BEGIN
        UPDATE total SET events = events - old.event_count,
                         event_bytes = event_bytes - length(old.events);
    END""",
)


class SpoolDatabase:
    """The database in `directory`, which must be there; `max_bytes` bounds its size.

    Several processes may use one; an instance belongs to one thread. Opening reads the whole file
    to check it, unless `is_checked` is false. Every method raises SpoolUnavailable when the file
    cannot be used.
    """

    def __init__(
        self, directory: Path, reserve: SpoolReserve, *, max_bytes: int, is_checked: bool
    ) -> None:
        self._is_checked = is_checked
        self._path = directory / "spool.sqlite3"
        self._reserve = reserve
        self._max_pages = max(16, max_bytes // _PAGE_BYTES)
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._lock = open_shared(directory / "spool.lock")
        try:
            self.use(lambda _: None)
        except BaseException:
            self.close()
            raise

    def use(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Act on the file, opening it if need be; once more on a new one if it is corrupt."""
        try:
            with self._locked(fcntl.LOCK_SH):
                return act(self._opened())
        except sqlite3.Error as error:
            if not is_corrupt(error):
                raise unavailable(error) from error
            self._set_aside(error)
        except OSError as error:
            raise unavailable(error) from error
        try:
            with self._locked(fcntl.LOCK_SH):
                return act(self._opened())
        except (sqlite3.Error, OSError) as error:
            raise unavailable(error) from error

    def has_room(self) -> bool:
        """True if a batch of some size can be added."""

        def unused_pages(connection: sqlite3.Connection) -> int:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            return self._max_pages - int(pages) + int(free)

        return self.use(unused_pages) >= _ROOM_PAGES

    def close(self) -> None:
        """Close the file."""
        self._disconnect()
        os.close(self._lock)

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
            self._disconnect()
        is_new = not self._path.exists()
        self._inode = 0 if is_new else self._path.stat().st_ino
        connection = sqlite3.connect(self._path, timeout=5, check_same_thread=False)
        try:
            try:
                self._prepare(connection)
            except sqlite3.OperationalError as error:
                # SQLite's shared memory has to be made anew, and the disk is full.
                if unavailable(error).reason != "full" or not self._reserve.release():
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
                raise corrupt(problem)
        version = _version_of(connection)
        if version == 0:
            version = _create(connection)
        if version != _VERSION:
            raise SpoolUnavailable(
                "broken",
                f"{self._path} was written by another version of the gateway, which has to publish "
                f"what is in it (its format is {version}, this one's {_VERSION})",
            )

    def _is_still_there(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _set_aside(self, error: sqlite3.Error) -> None:
        """Rename the corrupt file, unless another process has done so already."""
        with self._locked(fcntl.LOCK_EX):
            self._disconnect()
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


def open_shared(path: Path) -> int:
    """A small file that all processes of this machine's gateway have open; its descriptor.

    Raises SpoolUnavailable.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolUnavailable("broken", str(error)) from error


def _create(connection: sqlite3.Connection) -> int:
    """Make a new file's tables, unless another process was first; returns the version."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        version = _version_of(connection)
        if version == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            version = _VERSION
    return version


def _version_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _fsync_directory(directory: Path) -> None:
    """Make the creation or renaming of a file durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
