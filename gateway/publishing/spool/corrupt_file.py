"""Reads what is whole in a spool file that was set aside as corrupt.

The file itself stays as it is: a copy is read. Each batch is looked up by its position, so that
one that is damaged does not hide the others, and believed only if its checksum is right.
"""

import shutil
import sqlite3
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import msgspec
from msgspec import Struct

from gateway.errors import OperatorError

__all__ = ["Salvage", "SalvagedBatch", "salvage"]

_events_of = msgspec.msgpack.Decoder(list[bytes]).decode


class SalvagedBatch(Struct, frozen=True):
    """A batch that is whole; `spooled_at_ms` in Unix milliseconds."""

    partition: int
    spooled_at_ms: int
    events: list[bytes]


class Salvage(Struct, frozen=True):
    """The batches of a file that are whole, the oldest first, and how many are not."""

    batches: list[SalvagedBatch]
    damaged: int


def salvage(file: Path) -> Salvage:
    """Read a file; raises OperatorError if it is too damaged to be opened."""
    if not file.is_file():
        raise OperatorError(f"{file}: no such file")
    with TemporaryDirectory(prefix="spool-", dir=file.parent) as directory:
        copy = Path(directory) / "spool.sqlite3"
        shutil.copyfile(file, copy)
        log = Path(f"{file}-wal")
        if log.exists():
            shutil.copyfile(log, f"{copy}-wal")
        connection = sqlite3.connect(copy)
        try:
            return _whole_batches(connection)
        except sqlite3.DatabaseError as error:
            raise OperatorError(
                f"{file} cannot be opened: {error}; what SQLite's own tool makes of it can be "
                "recovered instead: https://sqlite.org/recovery.html"
            ) from error
        finally:
            connection.close()


def _whole_batches(connection: sqlite3.Connection) -> Salvage:
    batches = []
    damaged = 0
    for position in _positions(connection):
        try:
            row = connection.execute(
                "SELECT partition, spooled_at_ms, events, checksum FROM batch WHERE position = ?",
                (position,),
            ).fetchone()
        except sqlite3.DatabaseError:
            damaged += 1
            continue
        if row is None:  # it was published, and removed
            continue
        partition, spooled_at_ms, events, checksum = row
        if crc32(events) == checksum:
            batches.append(SalvagedBatch(partition, spooled_at_ms, _events_of(events)))
        else:
            damaged += 1
    return Salvage(batches, damaged)


def _positions(connection: sqlite3.Connection) -> range:
    """All positions that a batch may have; raises sqlite3.DatabaseError if nothing tells them."""
    highest = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'batch'").fetchone()
    if highest is None:
        return range(0)
    lowest = 1
    with suppress(sqlite3.DatabaseError):  # if the first batch is damaged, all are tried
        lowest = connection.execute("SELECT min(position) FROM batch").fetchone()[0] or lowest
    return range(lowest, highest[0] + 1)
