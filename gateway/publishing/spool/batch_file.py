"""Keeps the batches of the spool in a file, in the order in which they came, and answers what is
asked about them.
"""

import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from time import time_ns
from typing import Final
from zlib import crc32

import msgspec
from msgspec import Struct
from uuid_utils import uuid7

from gateway.durable_directory import make_directory
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.spool.disk_errors import corrupt
from gateway.publishing.spool.disk_reserve import SpoolReserve
from gateway.publishing.spool.sqlite_database import SpoolDatabase, open_shared, set_aside_files

__all__ = ["SpoolFile", "SpooledBatch"]

_MARK_BYTES: Final = 16
_CUT_PAGES: Final = 2048
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[bytes]).decode


class SpooledBatch(Struct, frozen=True):
    """A batch in the spool, with the identity under which Redis may know it already."""

    partition: int
    producer: str
    sequence: int
    events: list[bytes]
    position: int = 0


class SpoolFile:
    """Keeps batches in the file in `directory`, which is made if it is missing; `max_bytes` bounds
    its size.

    Several processes may use one file; an instance belongs to one thread. Opening reads the whole
    file to check it, unless `is_checked` is false. No method takes longer for a longer backlog,
    but for `all_of`. Every method raises SpoolUnavailable when the file cannot be used.
    """

    def __init__(self, directory: Path, *, max_bytes: int, is_checked: bool = True) -> None:
        try:
            make_directory(directory)
        except OSError as error:
            raise SpoolUnavailable("broken", str(error)) from error
        self._directory = directory
        self._reserve = SpoolReserve(directory)
        self._mark = open_shared(directory / "spool.mark")
        try:
            self._database = SpoolDatabase(
                directory, self._reserve, max_bytes=max_bytes, is_checked=is_checked
            )
        except BaseException:
            os.close(self._mark)
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

        self._database.change(insert)
        try:
            os.pwrite(self._mark, uuid7().bytes, 0)
        except OSError as error:
            raise SpoolUnavailable("broken", str(error)) from error

    def has_backlog(self, partition: int, *, below: int = 0) -> bool:
        """True if a batch of this partition waits, or of one with a number below `below`."""
        return self._database.use(
            lambda connection: (
                connection.execute(
                    "SELECT 1 FROM batch WHERE partition = ? UNION ALL"
                    " SELECT 1 FROM batch WHERE partition < ? LIMIT 1",
                    (partition, below),
                ).fetchone()
                is not None
            )
        )

    def partitions(self) -> list[int]:
        """The partitions that have a backlog."""
        # From each to the next one through the index: DISTINCT would read all of it.
        return self._database.use(
            lambda connection: [
                row[0]
                for row in connection.execute(
                    "WITH RECURSIVE waiting (partition) AS ("
                    " SELECT min(partition) FROM batch UNION ALL"
                    " SELECT (SELECT min(partition) FROM batch"
                    "  WHERE partition > waiting.partition)"
                    " FROM waiting WHERE partition IS NOT NULL)"
                    " SELECT partition FROM waiting WHERE partition IS NOT NULL"
                )
            ]
        )

    def oldest(self, partition: int, max_events: int) -> list[SpooledBatch]:
        """The oldest batches of a partition, the oldest first: one, if any waits, and as many more
        as have `max_events` events together.
        """

        def select(connection: sqlite3.Connection) -> list[SpooledBatch]:
            batches: list[SpooledBatch] = []
            event_count = 0
            with closing(_rows_of(connection, partition)) as rows:
                for position, producer, sequence, count, blob, checksum in rows:
                    event_count += count
                    if batches and event_count > max_events:
                        break
                    if crc32(blob) != checksum:
                        raise corrupt("a batch's checksum is wrong")
                    events = _decode(blob)
                    batches.append(SpooledBatch(partition, producer, sequence, events, position))
            return batches

        return self._database.use(select)

    def all_of(self, partition: int) -> list[SpooledBatch]:
        """All batches of a partition, the oldest first."""
        return self.oldest(partition, sys.maxsize)

    def remove(self, positions: Sequence[int]) -> None:
        """Forget batches that are on their stream. Works on a full disk."""

        def delete(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany(
                    "DELETE FROM batch WHERE position = ?", [(p,) for p in positions]
                )

        def delete_after_folding_the_log(connection: sqlite3.Connection) -> None:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            delete(connection)

        try:
            self._database.change(delete)
        except SpoolUnavailable as error:
            if error.reason == "busy" or not self._reserve.release():
                raise
            self._database.change(delete_after_folding_the_log)

    def shrink(self) -> bool:
        """Give disk space back if nothing waits: 8 MiB a call, which takes some 25 ms.

        Whether there was none to give.
        """

        def cut(connection: sqlite3.Connection) -> bool:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            is_empty = connection.execute("SELECT 1 FROM batch LIMIT 1").fetchone() is None
            if free and is_empty:
                # As a script: `execute` would end it after the first page.
                connection.executescript(f"PRAGMA incremental_vacuum({_CUT_PAGES})")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return not free

        return self._database.change(cut)

    def totals(self) -> tuple[int, int, int]:
        """How many events wait, how many bytes they take, and since when (Unix ms, 0 if none)."""
        return self._database.use(
            lambda connection: tuple(
                connection.execute(
                    "SELECT events, event_bytes, coalesce("
                    "(SELECT spooled_at_ms FROM batch ORDER BY position LIMIT 1), 0) FROM total"
                ).fetchone()
            )
        )

    def set_aside_count(self) -> int:
        """How many files were set aside here, whose events are not published."""
        return len(set_aside_files(self._directory))

    def has_room(self) -> bool:
        """True if a batch of some size can be appended."""
        return self._database.has_room()

    def close(self) -> None:
        """Close the file."""
        self._database.close()
        os.close(self._mark)


def _rows_of(connection: sqlite3.Connection, partition: int) -> sqlite3.Cursor:
    return connection.execute(
        "SELECT position, producer, sequence, event_count, events, checksum FROM batch"
        " WHERE partition = ? ORDER BY position",
        (partition,),
    )
