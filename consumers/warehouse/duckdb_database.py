"""Loads into the file of DuckDB, which an instance in this process has open inside `session()`.

Then it is for this process alone, as DuckDB has it
(https://duckdb.org/docs/stable/connect/concurrency). In between anybody may open it.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import duckdb
import pyarrow as pa

from consumers.warehouse.destination import Destination
from consumers.warehouse.duckdb_file import attach, attached, held
from consumers.warehouse.straight_database import MARK_STALE, ROWS, StraightDatabase
from consumers.warehouse.table_schema import COMMENT_EVENTS, Table
from consumers.warehouse.workspace import Workspace

__all__ = ["DuckDbDatabase"]

# Readers hold the file for the length of a query; between two of them a load slips in.
_LOCK_WAIT_S: Final = 5.0
# Left alone, DuckDB takes 80 % of the machine's memory. Loads of 3 MB pass with this much.
_SETTINGS: Final = {"memory_limit": "48MB", "threads": "1", "preserve_insertion_order": "false"}
# Closing the file, DuckDB joins small row groups to a full one, and that needs more memory the
# longer the texts are: with 30 KB each, more than it has. Then they stay small.
_WITHOUT_JOINING: Final = {"max_vacuum_tasks": "0"}
_NAME: Final = "warehouse_file"


class DuckDbDatabase(StraightDatabase):
    """A dataset in a file of DuckDB."""

    dialect = "duckdb"

    def __init__(self, target: Destination, *, dataset: str, workspace: Workspace) -> None:
        super().__init__(target, dataset=dataset, workspace=workspace)
        assert target.database is not None  # noqa: S101 - such is its destination
        self._path: Path = target.database
        self._settings = _SETTINGS
        self._instance: duckdb.DuckDBPyConnection | None = None

    def merge(self, table: Table, values: pa.Table) -> None:
        """Load rows, replacing those with the same key, in one transaction.

        Which rows those are costs what the batch can touch, however many the table has: DuckDB
        passes by each row group whose least and greatest keys lie outside of the batch's, and keys
        begin with their time.
        """
        into = self._table(table.name)
        with self._transaction() as cursor:
            cursor.register(ROWS, values)
            # Not MERGE, which reads the whole key column and keeps it in memory.
            cursor.execute(
                f"DELETE FROM {into} WHERE {table.key} IN (SELECT {table.key} FROM {ROWS})"  # noqa: S608
            )
            cursor.execute(f"INSERT INTO {into} BY NAME SELECT * FROM {ROWS}")  # noqa: S608
            if table is COMMENT_EVENTS:
                self._run(cursor, MARK_STALE, ())

    def close(self) -> None:
        """Leave nothing of this process in the destination."""
        super().close()
        if self._instance is not None:
            self._instance.close()
            self._instance = None

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        if self._instance is None:
            # Else it puts what it has no memory for, rows included, below the current directory.
            spilling = {"temp_directory": str(self._workspace.path / "duckdb")}
            self._instance = duckdb.connect(config={**self._settings, **spilling})
        instance = self._instance
        try:
            with attached(instance, self._path, _NAME, wait_s=_LOCK_WAIT_S):
                yield instance
        except BaseException:
            self._instance = None
            raise

    def _cursor(self) -> Any:
        cursor = self._opened.cursor()
        # So that names need no mention of it: a view keeps those that it is made with.
        cursor.execute(f"USE {_NAME}")
        return cursor

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        # What fails is rolled back when the cursor is closed. The file is this process's alone.
        with closing(self._cursor()) as cursor:
            cursor.begin()
            yield cursor
            cursor.commit()

    @contextmanager
    def _left(self) -> Iterator[None]:
        """While dlt has the file: a process may open it once."""
        self._opened.execute(f"DETACH {_NAME}")
        with held(self._path, self._settings, wait_s=_LOCK_WAIT_S):
            yield
        attach(self._opened, self._path, _NAME, wait_s=_LOCK_WAIT_S)

    def _has_failed(self) -> None:
        self._settings = _SETTINGS | _WITHOUT_JOINING

    def _run(self, cursor: Any, statement: str, values: tuple[Any, ...]) -> None:
        super()._run(cursor, statement.replace("%s", "?"), values)
