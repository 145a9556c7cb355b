"""The destination through dlt: merging rows, asking, executing. Knows no table of ours by name.

The file of an embedded DuckDB is open only inside `Database.session()`, and then for this process
alone, as DuckDB has it (https://duckdb.org/docs/stable/connect/concurrency). In between anybody may
open it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import dlt
import dlt.destinations
import duckdb
import pyarrow as pa
from dlt.common.configuration.utils import get_resolved_traces
from dlt.common.destination.exceptions import DestinationUndefinedEntity

from consumers.warehouse.destination import BadDestination, Destination
from consumers.warehouse.schema import TABLES, Table
from consumers.warehouse.workspace import Workspace
from gateway.errors import GatewayError

__all__ = ["Away", "Database"]

# Readers hold the file for the length of a query; between two of them a load slips in.
_LOCK_WAIT_S: Final = 5.0
_LOCK_POLL_S: Final = 0.005
# Left alone, DuckDB takes 80 % of the machine's memory. Loads of 3 MB pass with this much.
_DUCKDB: Final = {"memory_limit": "48MB", "threads": "1", "preserve_insertion_order": "false"}
# Closing the file, DuckDB joins small row groups to a full one, and that needs more memory the
# longer the texts are: with 30 KB each, more than it has. Then they stay small.
_WITHOUT_JOINING: Final = {"max_vacuum_tasks": "0"}


class Away(GatewayError):
    """The destination cannot be used now: unreachable, locked, full or refusing. Try again later.

    Rows are made such that no destination has a reason to refuse them, so that a load that fails is
    never taken for the fault of an event.
    """


class Database:
    """A dataset in a destination. All calls block, and belong on one thread."""

    def __init__(self, target: Destination, *, dataset: str, workspace: Workspace) -> None:
        self.target = target
        self._dataset = dataset
        self._workspace = workspace
        self._opened_pipeline: Any = None
        self._duckdb = _DUCKDB

    @contextmanager
    def session(self) -> Iterator[None]:
        """What the other methods have to be called in; raises Away for whatever fails inside.

        Sessions do not nest.
        """
        # Of this thread. Left on, it keeps every value that was ever looked up, and with each all
        # that was on the stack, rows included.
        get_resolved_traces().logging_enabled = False
        try:
            if self.target.database is None:
                yield
            else:
                with _duckdb_file(self.target.database, self._duckdb):
                    yield
        except GatewayError:
            raise
        except Exception as error:
            # Every destination brings a driver with exceptions of its own, and dlt passes them on.
            self._forget()
            self._duckdb = _DUCKDB | _WITHOUT_JOINING
            raise Away(_cause(error)) from error

    def merge(self, table: Table, values: pa.Table) -> None:
        """Load rows, replacing those with the same key; makes the table if it is not there.

        Columns that the table lacks are added. Each key may be there once in `values`.
        """
        disposition: Any = "append"
        if self.target.merge != "append":
            disposition = {
                "disposition": "merge",
                "strategy": self.target.merge,
                "deduplicated": True,
            }
        resource = dlt.resource(
            [values],
            name=table.name,
            primary_key=table.key,
            columns=_columns(table),
            write_disposition=disposition,
        )
        self._pipeline.run(
            resource,
            loader_file_format=self.target.file_format,
            table_format=self.target.table_format,
        )

    def ask(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query; `{name}` in it stands for a table, `%s` for a value.

        There are none if a table does not exist.
        """
        with self._asking() as client:
            try:
                with client.execute_query(_named(client, query), *values) as cursor:
                    while batch := cursor.fetchmany(10_000):
                        yield from batch
            except DestinationUndefinedEntity:
                return

    def execute(self, statement: str, *values: Any) -> None:
        """Carry out a statement, written as for `ask`."""
        with self._pipeline.sql_client() as client:
            client.execute_sql(_named(client, statement), *values)

    @property
    def dialect(self) -> str:
        """Sqlglot's name of the SQL that the destination speaks."""
        return str(self._pipeline.destination.capabilities().sqlglot_dialect)

    def close(self) -> None:
        """Remove the staging tables of this process; of a killed one they stay until its return."""
        if self._opened_pipeline is None or self.target.database or not self.target.is_database:
            return
        with (
            suppress(Away),
            self.session(),
            self._pipeline.sql_client() as client,
            client.with_staging_dataset(),
        ):
            if client.has_dataset():
                client.drop_dataset()

    @property
    def _pipeline(self) -> Any:
        if self._opened_pipeline is None:
            self._opened_pipeline = dlt.pipeline(
                "warehouse",
                pipelines_dir=str(self._workspace.path),
                destination=self._factory(),
                dataset_name=self._dataset,
            )
        return self._opened_pipeline

    def _asking(self) -> Any:
        if self.target.is_database:
            return self._pipeline.sql_client()
        # Over files dlt makes views of the tables that it knows, and a new pipeline knows none.
        schema = dlt.Schema("warehouse")
        for table in TABLES:
            described: Any = {
                "name": table.name,
                "write_disposition": "append",
                "columns": {n: {"name": n, **hints} for n, hints in _columns(table).items()},
                "x-normalizer": {"seen-data": True},
            }
            if self.target.table_format:
                described["table_format"] = self.target.table_format
            schema.update_table(described)
        return dlt.dataset(self._factory(), self._dataset, schema=schema).sql_client

    def _factory(self) -> Any:
        arguments = dict(self.target.arguments)
        if self.target.is_database and not self.target.database:
            # Processes that share a staging table empty it under one another; a file has one at a
            # time.
            arguments["staging_dataset_name_layout"] = f"%s_staging_{self._workspace.name}"
        try:
            return getattr(dlt.destinations, self.target.kind)(**arguments)
        except Exception as error:
            raise BadDestination(_cause(error)) from error

    def _forget(self) -> None:
        """Start anew after a failure: what was under way is loaded again from its entries."""
        self._opened_pipeline = None
        self._workspace.empty()


def _columns(table: Table) -> dict[str, Any]:
    return {
        column.name: {
            "data_type": column.type,
            "nullable": column.nullable,
            "description": column.description,
        }
        for column in table.columns
    }


def _named(client: Any, statement: str) -> str:
    names = {name: client.make_qualified_table_name(name) for name in _NAMES}
    return statement.format(**names)


_NAMES: Final = (*(table.name for table in TABLES), "comments")


@contextmanager
def _duckdb_file(path: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Hold the file for this process; dlt's connections to it share this one's database.

    Raises Away if another process has it open for longer than a reader should.
    """
    deadline = time.monotonic() + _LOCK_WAIT_S
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            connection = duckdb.connect(str(path))
            break
        except duckdb.IOException as error:
            if "lock" not in str(error):
                raise
            if time.monotonic() > deadline:
                raise Away(_cause(error)) from error
            time.sleep(_LOCK_POLL_S)
    try:
        for name, value in settings.items():
            connection.execute(f"SET GLOBAL {name} = '{value}'")
        yield
    finally:
        connection.close()


def _cause(error: BaseException) -> str:
    """The first line of the innermost exception: dlt wraps it in pages that may quote rows."""
    while inner := error.__cause__ or error.__context__:
        error = inner
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:200]}"
