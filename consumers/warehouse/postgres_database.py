"""Loads into PostgreSQL by COPY and an upsert, on a connection for each session."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from typing import Any, Final

import psycopg2
import pyarrow as pa
from pyarrow import csv

from consumers.warehouse.straight_database import MARK_STALE, ROWS, StraightDatabase
from consumers.warehouse.table_schema import COMMENT_EVENTS, Table
from gateway.errors import GatewayError

__all__ = ["PostgresDatabase"]

_FORMAT: Final = csv.WriteOptions(include_header=False)


class PostgresDatabase(StraightDatabase):
    """A dataset in a database of PostgreSQL."""

    dialect = "postgres"

    def merge(self, table: Table, values: pa.Table) -> None:
        """Load rows, replacing those with the same key, in one transaction.

        They pass through a temporary table, which nobody else sees. By the unique index on the key
        each row finds the one to replace, whatever the server thinks of the tables' sizes; sessions
        that load the same keys wait for one another.
        """
        into = self._table(table.name)
        # In one order, so that no two sessions wait for each other.
        filled = values.drop_columns(_empty_columns(values)).sort_by(table.key)
        listed = ", ".join(values.column_names)
        taken = ", ".join(f"{name} = EXCLUDED.{name}" for name in values.column_names)
        with self._opened, self._opened.cursor() as cursor:
            cursor.execute(
                f"CREATE TEMPORARY TABLE {ROWS} ON COMMIT DROP AS "  # noqa: S608
                f"SELECT {listed} FROM {into} WITH NO DATA"
            )
            # An empty text is written in quotes and a null as nothing, as COPY reads them:
            # https://www.postgresql.org/docs/current/sql-copy.html
            cursor.copy_expert(
                f"COPY {ROWS} ({', '.join(filled.column_names)}) FROM STDIN "
                "WITH (FORMAT csv, ENCODING 'utf-8')",
                _written(filled),
            )
            cursor.execute(
                f"INSERT INTO {into} ({listed}) SELECT {listed} FROM {ROWS} "  # noqa: S608
                f"ON CONFLICT ({table.key}) DO UPDATE SET {taken}"
            )
            if table is COMMENT_EVENTS:
                self._run(cursor, MARK_STALE, ())

    def close(self) -> None:
        """Remove the tables in which an earlier release, killed, may have left rows."""
        super().close()
        with suppress(GatewayError), self.session():
            self.execute(
                f'DROP SCHEMA IF EXISTS "{self.dataset}_staging_{self._workspace.name}" CASCADE'
            )

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        with self._opened, self._opened.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtext(%s))", (f"{self.dataset} states",)
            )
            yield cursor

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        # dlt is given a blank for no password.
        url = self.target.arguments["credentials"].replace(":%20@", "@")
        with closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            yield connection


def _empty_columns(values: pa.Table) -> list[str]:
    """Those without any value, which need not be written; nearly half of them without texts."""
    return [
        name
        for name, column in zip(values.column_names, values.columns, strict=True)
        if column.null_count == values.num_rows
    ]


def _written(values: pa.Table) -> BytesIO:
    buffer = BytesIO()
    csv.write_csv(values, buffer, _FORMAT)
    buffer.seek(0)
    return buffer
