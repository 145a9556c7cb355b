"""Makes the tables of the spool's file, and reads all formats of them that there have been.

    1   the batches alone
    2   with their sums, which triggers keep

A file of format 1 becomes one of format 2 where it is, with what waits in it. An older program that
has it open goes on using it.
"""

import sqlite3
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError

__all__ = ["OtherFormat", "bring_up_to_date", "has_nothing"]

_VERSION: Final = 2
_BATCHES: Final = (
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
)
_SUMS: Final = (
    # One row: counting a backlog of millions would hold up whoever wants to append.
    "CREATE TABLE total (events INTEGER NOT NULL, event_bytes INTEGER NOT NULL) STRICT",
    """INSERT INTO total
        SELECT coalesce(sum(event_count), 0), coalesce(sum(length(events)), 0) FROM batch""",
    """CREATE TRIGGER batch_added AFTER INSERT ON batch BEGIN
        UPDATE total SET events = events + new.event_count,
                         event_bytes = event_bytes + length(new.events);
    END""",
    """CREATE TRIGGER batch_removed AFTER DELETE ON batch BEGIN
        UPDATE total SET events = events - old.event_count,
                         event_bytes = event_bytes - length(old.events);
    END""",
)
_COLUMNS: Final = [
    *("position", "partition", "producer", "sequence"),
    *("spooled_at_ms", "event_count", "events", "checksum"),
]


class OtherFormat(GatewayError):
    """A file that a program of another version made, which this one cannot read."""


def bring_up_to_date(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file, or what those of an older one lack; may be repeated.

    Several processes may do so at once. Raises OtherFormat, and sqlite3.Error.
    """
    version = _version_of(connection)
    if version == 0:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if version < _VERSION:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            version = _version_of(connection)  # another process may have been first
            if version == 0:
                _carry_out(connection, _BATCHES)
            if version == 1 and _columns_of(connection) != _COLUMNS:
                raise OtherFormat("its format is called 1, and it is not")
            if version < _VERSION:
                _carry_out(connection, _SUMS)
                connection.execute(f"PRAGMA user_version = {_VERSION}")
                version = _VERSION
    if version != _VERSION:
        raise OtherFormat(f"its format is {version}, this program's is {_VERSION}")


def has_nothing(path: Path) -> bool:
    """Whether no batch waits in a file of whatever format; False if that cannot be told."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT 1 FROM batch LIMIT 1").fetchone() is None
    except sqlite3.Error:
        return False
    finally:
        connection.close()


def _carry_out(connection: sqlite3.Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.execute(statement)


def _columns_of(connection: sqlite3.Connection) -> list[str]:
    return [row[1] for row in connection.execute("PRAGMA table_info(batch)")]


def _version_of(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version
