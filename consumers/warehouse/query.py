"""Answers SQL of one's own from the warehouse, which can change nothing in it."""

import sys
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from io import StringIO
from typing import Any, Final

import duckdb
import pyarrow as pa

from consumers.warehouse.destination import Destination
from consumers.warehouse.duckdb_file import patiently
from gateway.errors import OperatorError
from gateway.terminal import json_line, printable_lines

__all__ = ["answer", "as_json", "as_table"]

_MAX_ROWS: Final = 1_000
"""Rows that a table shows; of more it shows the first and the last."""


def answer(target: Destination, dataset: str, query: str, *, wait_s: float) -> pa.Table:
    """The rows of a query; names of tables are looked up in `dataset`, times are in UTC.

    Waits up to `wait_s` seconds for a load to leave the file of DuckDB, and then raises Away.
    Raises OperatorError for a query that fails, and for a destination that is not asked from here.
    """
    if target.database is not None:
        return _of_duckdb(target, dataset, query, wait_s)
    if target.kind == "postgres":
        return _of_postgres(target, dataset, query)
    raise OperatorError(f"[warehouse] {target.label}: ask it with a client of its own")


def as_table(rows: pa.Table) -> str:
    """The rows as people read them, as DuckDB draws them."""
    drawn = StringIO()
    # Piped on, it is not cut: who reads it has no width.
    width: dict[str, Any] = {} if sys.stdout.isatty() else {"max_width": 1_000_000}
    with redirect_stdout(drawn):
        duckdb.from_arrow(rows).show(max_rows=_MAX_ROWS, **width)
    return printable_lines(drawn.getvalue().rstrip())


def as_json(rows: pa.Table) -> Iterator[str]:
    """Each row as a JSON object."""
    for batch in rows.to_batches():
        for row in batch.to_pylist():
            yield json_line(row)


def _of_duckdb(target: Destination, dataset: str, query: str, wait_s: float) -> pa.Table:
    path = target.database
    assert path is not None  # noqa: S101 - asked by the caller
    if not path.exists():
        raise OperatorError(f"[warehouse] {target.label}: there is no such file yet")
    # Without access to other files, as that of a COPY.
    connection = patiently(
        lambda: duckdb.connect(str(path), read_only=True, config={"enable_external_access": False}),
        path,
        wait_s=wait_s,
    )
    with closing(connection):
        try:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"SET search_path = '{dataset},main'")
            found: duckdb.DuckDBPyRelation | None = connection.sql(query)
            return pa.table({}) if found is None else found.to_arrow_table()
        except duckdb.Error as error:
            raise OperatorError(str(error)) from error


def _of_postgres(target: Destination, dataset: str, query: str) -> pa.Table:
    import psycopg2  # noqa: PLC0415 - the driver of an extra

    # dlt is given a blank for no password.
    url = target.arguments["credentials"].replace(":%20@", "@")
    try:
        with closing(psycopg2.connect(url)) as connection:
            connection.set_session(readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("SET TimeZone = 'UTC'")
                cursor.execute(f"SET search_path = {dataset}, public")
                cursor.execute(query)
                names = [column.name for column in cursor.description or ()]
                columns = list(zip(*cursor.fetchall(), strict=True)) or [()] * len(names)
    except psycopg2.Error as error:
        raise OperatorError(str(error).strip()) from error
    return pa.Table.from_arrays([_array(column) for column in columns], names)


def _array(values: Any) -> pa.Array:
    """An Arrow column of what psycopg2 reads; of what Arrow does not know the text."""
    try:
        return pa.array(values)
    except pa.ArrowException:
        return pa.array([None if value is None else str(value) for value in values])
