"""Opens the spool's SQLite database, shares it, and sets it aside when it is corrupt.

WAL mode with synchronous=FULL: what a transaction wrote is on the disk when it returns, and a
process or machine that dies at any point leaves a file that opens again
(https://www.sqlite.org/wal.html).

A file that turns out to be corrupt, or of a format that nobody here knows, is renamed and a new one
begun; deleted is only one that is known to be empty. Who renames holds the lock exclusively, who
uses the file holds it shared, and each use looks first whether the file is still the one that was
opened.
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

from gateway.durable_directory import fsync_directory
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool.disk_errors import corrupt, is_corrupt, unavailable
from gateway.publishing.spool.disk_reserve import SpoolReserve
from gateway.publishing.spool.table_format import OtherFormat, bring_up_to_date, has_nothing

__all__ = ["SpoolDatabase", "open_shared", "set_aside_files"]

log: Any = structlog.get_logger(__name__)
T = TypeVar("T")

_FILE: Final = "spool.sqlite3"
_CORRUPT: Final = "corrupt"
_OTHER_VERSION: Final = "other-version"
_PAGE_BYTES: Final = 4096
_LOG_PAGES: Final = 128
# When SQLite folds its log into the file: the spool's reserve has to have room for that.
_ROOM_PAGES: Final = 8  # a batch of thirty events, and the pages of the index


class SpoolDatabase:
    """Opens the database in `directory`, which must be there; `max_bytes` bounds its size.

    Several processes may use one; an instance belongs to one thread. Opening reads the whole file
    to check it, unless `is_checked` is false. Every method raises SpoolUnavailable when the file
    cannot be used.
    """

    def __init__(
        self, directory: Path, reserve: SpoolReserve, *, max_bytes: int, is_checked: bool
    ) -> None:
        self._is_checked = is_checked
        self._path = directory / _FILE
        self._reserve = reserve
        self._max_pages = max(16, max_bytes // _PAGE_BYTES)
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._lock = open_shared(directory / "spool.lock")
        try:
            self._turn = open_shared(directory / "spool.turn")
        except BaseException:
            os.close(self._lock)
            raise
        try:
            self.use(lambda _: None)
        except BaseException:
            self.close()
            raise

    def use(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Act on the file, opening it if need be; once more on a new one if it is of no use."""
        try:
            with _held(self._lock, fcntl.LOCK_SH):
                return act(self._opened())
        except OtherFormat as error:
            self._begin_anew(error)
        except sqlite3.Error as error:
            if not is_corrupt(error):
                raise unavailable(error) from error
            self._begin_anew(error)
        except OSError as error:
            raise unavailable(error) from error
        try:
            with _held(self._lock, fcntl.LOCK_SH):
                return act(self._opened())
        except (sqlite3.Error, OSError) as error:
            raise unavailable(error) from error

    def change(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Like `use`, for what writes: one process after the other.

        SQLite waits for another writer by sleeping longer and longer between tries, up to 100 ms,
        while who has just written tries at once: of two processes that append all the time one
        waits for up to a second (a tenth of that with turns).
        """

        def act_in_turn(connection: sqlite3.Connection) -> T:
            with _held(self._turn, fcntl.LOCK_EX):
                return act(connection)

        return self.use(act_in_turn)

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
        os.close(self._turn)

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
            fsync_directory(self._path.parent)
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
        bring_up_to_date(connection)

    def _is_still_there(self) -> bool:
        try:
            return self._path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _begin_anew(self, why: sqlite3.Error | OtherFormat) -> None:
        """Rename the file, or delete an empty one, unless another process has done so already."""
        with _held(self._lock, fcntl.LOCK_EX):
            self._disconnect()
            if not self._is_still_there():
                return
            parts = [Path(f"{self._path}{suffix}") for suffix in ("-wal", "-shm", "")]
            if isinstance(why, OtherFormat) and has_nothing(self._path):
                for part in parts:
                    part.unlink(missing_ok=True)
                log.info("the spool of another version was empty, and is begun anew", why=str(why))
                return
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
            label = _OTHER_VERSION if isinstance(why, OtherFormat) else _CORRUPT
            aside = f"{self._path}.{label}-{stamp}"
            for part in parts:
                if part.exists():
                    part.rename(aside + part.name.removeprefix(self._path.name))
            fsync_directory(self._path.parent)
        log.error(
            "the spool is of another version and was set aside; events in it are not published"
            if isinstance(why, OtherFormat)
            else "the spool is corrupt and was set aside; events in it are not published",
            file=aside,
            error=str(why),
            what_to_do="gateway spool recover FILE, see docs/reliability.md",
        )


def set_aside_files(directory: Path) -> list[Path]:
    """The databases that were set aside in a directory, whose events are not published."""
    return sorted(
        path
        for label in (_CORRUPT, _OTHER_VERSION)
        for path in directory.glob(f"{_FILE}.{label}-*")
        if not path.name.endswith(("-wal", "-shm"))
    )


@contextmanager
def _held(lock: int, how: int) -> Iterator[None]:
    fcntl.flock(lock, how)
    try:
        yield
    finally:
        fcntl.flock(lock, fcntl.LOCK_UN)


def open_shared(path: Path) -> int:
    """A small file that all processes of this machine's gateway have open; its descriptor.

    Raises SpoolUnavailable.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SpoolUnavailable("broken", str(error)) from error
