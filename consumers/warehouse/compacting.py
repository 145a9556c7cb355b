"""Writes anew what holds the rows, so that what was deleted is not in it any more.

DuckDB and PostgreSQL leave the bytes of deleted rows where they are until they need the room.
"""

import time
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from consumers.warehouse.database import Database
from consumers.warehouse.destination_errors import DestinationAway
from consumers.warehouse.duckdb_file import patiently
from consumers.warehouse.table_schema import COMMENT_EVENTS, ERASURES, EVENTS
from gateway.errors import OperatorError

__all__ = ["compact"]

_WAIT_S: Final = 30.0
_GRACE_S: Final = 1.0
_SETTINGS: Final = {"memory_limit": "512MB", "threads": "1", "preserve_insertion_order": "false"}


def compact(database: Database) -> None:
    """Write the file of DuckDB, or the tables of PostgreSQL, anew; loads wait meanwhile.

    Needs as much room on the disk again. Raises OperatorError for other destinations, and
    DestinationAway while the destination is in use.
    """
    target = database.target
    if target.database is not None:
        _rewrite(target.database)
    elif target.kind == "postgres":
        with database.session():
            database.execute_each(
                "SET statement_timeout = 0",
                f"VACUUM (FULL) {{{COMMENT_EVENTS.name}}}",
                "VACUUM (FULL) {comment_states}",
                f"VACUUM (FULL) {{{EVENTS.name}}}",
                f"VACUUM (FULL) {{{ERASURES.name}}}",
            )
    else:
        raise OperatorError(f"[warehouse] {target.label}: it cannot be written anew from here")


def _rewrite(path: Path) -> None:
    """Copy everything in the file into a new one, which takes its place.

    The old file is held for reading all the time, so that nobody writes what the copy would lack;
    and a little longer, for a writer that had opened the old one when the new one took its place.
    """
    beside = path.with_name(f"{path.name}.compacting")
    left_over = path.with_name(f"{path.name}.wal")
    beside.unlink(missing_ok=True)
    # Whatever a killed process left in the write-ahead log goes into the file: the log does not
    # belong to the new one.
    with closing(patiently(lambda: duckdb.connect(str(path)), path, wait_s=_WAIT_S)) as writing:
        writing.execute("CHECKPOINT")
    with closing(patiently(lambda: _reading(path), path, wait_s=_WAIT_S)) as connection:
        if left_over.exists():
            raise DestinationAway(f"{path} was written to meanwhile: try again")
        try:
            # In the format of the old one, so that whoever could read it can go on.
            ((version,),) = connection.execute(
                "SELECT rtrim(tags['storage_version'], '+') FROM duckdb_databases() "
                "WHERE database_name = 'old'"
            ).fetchall()
            connection.execute(
                f"ATTACH '{_quoted(beside)}' AS written_anew (STORAGE_VERSION '{version}')"
            )
            connection.execute("COPY FROM DATABASE old TO written_anew")
            connection.execute("DETACH written_anew")
            beside.chmod(0o600)
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)
        time.sleep(_GRACE_S)


def _reading(path: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config=dict(_SETTINGS))
    try:
        connection.execute(f"ATTACH '{_quoted(path)}' AS old (READ_ONLY)")
    except duckdb.Error:
        connection.close()
        raise
    return connection


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
