"""Makes tables, merges rows, asks and executes in the destination, through dlt.

Every destination but DuckDB and PostgreSQL is loaded this way, and those two have their tables made
and brought up to date by it: docs/decisions/0012-warehouse-loads.md.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import dlt
import dlt.destinations
import pyarrow as pa
from dlt.common.configuration.utils import get_resolved_traces

from consumers.warehouse import event_rows
from consumers.warehouse.database import NAMES
from consumers.warehouse.destination import BadDestination, Destination
from consumers.warehouse.destination_errors import LackingTable, cause_of, refusal
from consumers.warehouse.dlt_surroundings import surround
from consumers.warehouse.table_schema import TABLES, Table
from consumers.warehouse.workspace import Workspace
from gateway.errors import GatewayError

__all__ = ["DltDatabase"]

# dlt writes a row for each load, of which nothing here reads any: at one load each five seconds
# there are 120,000 of a week.
_LOADS_KEPT_FOR: Final = timedelta(days=7)
_LOADS_BETWEEN_LOOKS: Final = 1_000


class DltDatabase:
    """Reads and writes a dataset in a destination. All calls block, and belong on one thread."""

    def __init__(self, target: Destination, *, dataset: str, workspace: Workspace) -> None:
        self.target = target
        self.dataset = dataset
        self._workspace = workspace
        surround(workspace.slot)
        self._opened_pipeline: Any = None
        self._merge_count = 0
        self._is_doubted = False

    @property
    def work_dir(self) -> Path:
        """Where this machine keeps what outlives a process."""
        return self._workspace.directory

    @contextmanager
    def session(self) -> Iterator[None]:
        """What the other methods have to be called in.

        Raises what `refusal` makes of whatever fails inside. Sessions do not nest.
        """
        # Of this thread. Left on, it keeps every value that was ever looked up, and with each all
        # that was on the stack, rows included.
        get_resolved_traces().logging_enabled = False
        try:
            yield
        except GatewayError:
            raise
        except Exception as error:
            # Every destination brings a driver with exceptions of its own, and dlt passes them on.
            self._forget()
            told = refusal(error)
            self._is_doubted |= isinstance(told, LackingTable)
            raise told from error

    def make(self, table: Table) -> None:
        """Make the table if it is not there, and add the columns that it lacks."""
        self.merge(table, event_rows.empty(table))

    def merge(self, table: Table, values: pa.Table) -> None:
        """Load rows, replacing those with the same key; files are added to."""
        if self._is_doubted:
            self.distrust()
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
        self._remove_loaded()
        if self.target.is_database and self._merge_count % _LOADS_BETWEEN_LOOKS == 0:
            self.execute(
                "DELETE FROM {_dlt_loads} WHERE inserted_at < %s",
                datetime.now(UTC) - _LOADS_KEPT_FOR,
            )
        self._merge_count += 1

    def ask(self, query: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows of a query; `{name}` in it stands for a table, `%s` for a value.

        There are none if a table does not exist.
        """
        with self._asking() as client:
            try:
                with client.execute_query(_named(client, query), *values) as cursor:
                    while batch := cursor.fetchmany(10_000):
                        yield from batch
            except Exception as error:
                if not isinstance(refusal(error), LackingTable):
                    raise

    def has(self, name: str) -> bool:
        """Whether a table or a view of this name is there, and can be read."""
        query = f"SELECT 1 FROM {{{name}}} WHERE 1 = 0"  # noqa: S608 - a name of ours
        with self._asking() as client:
            try:
                with client.execute_query(_named(client, query)):
                    return True
            except Exception as error:
                if not isinstance(refusal(error), LackingTable):
                    raise
                return False

    def distrust(self) -> None:
        """Let dlt look at the tables themselves, not at what it noted of them when it made them.

        Tables that vanish take no note of it along, so that dlt never makes them again.
        """
        self._forget()
        self._is_doubted = False
        if not self.target.is_database:
            return
        with self._pipeline.sql_client() as client:
            _empty(client, "_dlt_version")
            with client.with_staging_dataset():
                _empty(client, "_dlt_version")

    def execute(self, statement: str, *values: Any) -> None:
        """Carry out a statement, written as for `ask`."""
        with self._pipeline.sql_client() as client:
            client.execute_sql(_named(client, statement), *values)

    def execute_each(self, *statements: str) -> None:
        """Carry out statements without values one by one, on one connection."""
        with self._pipeline.sql_client() as client:
            for statement in statements:
                client.execute_sql(_named(client, statement))

    @property
    def dialect(self) -> str:
        """Sqlglot's name of the SQL that the destination speaks."""
        return str(self._pipeline.destination.capabilities().sqlglot_dialect)

    def close(self) -> None:
        """Remove the staging tables of this process; of a killed one they stay until its return."""
        if self._opened_pipeline is None or self.target.database or not self.target.is_database:
            return
        with (
            suppress(GatewayError),
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
                dataset_name=self.dataset,
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
        return dlt.dataset(self._factory(), self.dataset, schema=schema).sql_client

    def _factory(self) -> Any:
        arguments = dict(self.target.arguments)
        if self.target.is_database and not self.target.database:
            # Processes that share a staging table empty it under one another; a file has one at a
            # time.
            arguments["staging_dataset_name_layout"] = f"%s_staging_{self._workspace.name}"
        try:
            return getattr(dlt.destinations, self.target.kind)(**arguments)
        except Exception as error:
            raise BadDestination(cause_of(error)) from error

    def _remove_loaded(self) -> None:
        """Remove what dlt keeps of each load that has ended, a dozen small files of each."""
        for package in self._workspace.path.glob("*/load/loaded/*"):
            shutil.rmtree(package, ignore_errors=True)

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


def _empty(client: Any, table: str) -> None:
    try:
        client.execute_sql(f"DELETE FROM {client.make_qualified_table_name(table)}")  # noqa: S608
    except Exception as error:
        if not isinstance(refusal(error), LackingTable):
            raise


def _named(client: Any, statement: str) -> str:
    names = {name: client.make_qualified_table_name(name) for name in _NAMES}
    return statement.format(**names)


_NAMES: Final = (*NAMES, "_dlt_loads")
