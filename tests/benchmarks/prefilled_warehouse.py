"""Makes warehouses that hold many rows already, in DuckDB and in PostgreSQL."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

import duckdb

from consumers.warehouse.database_choice import database_of
from consumers.warehouse.destination import destination
from consumers.warehouse.kept_states import KeptStates
from consumers.warehouse.loading_messages import Opening, Prepare
from consumers.warehouse.loading_process import LoadingProcess
from consumers.warehouse.straight_database import StraightDatabase
from consumers.warehouse.workspace import Workspace
from gateway.settings import Settings, WarehouseSettings
from tests.support.postgres import PostgresServer

__all__ = ["loading", "prefilled_duckdb", "prefilled_postgres"]

_AT_ONCE: Final = 500_000
_PER_SECOND: Final = 10
_INSERT: Final = """
INSERT INTO bitrix24.comment_events (event_id, action, member_id, domain, comment_id, user_id,
  occurred_at, received_at, stream, stream_partition, entry_ms, entry_seq, loaded_at)
SELECT substr(h, 1, 8) || '-' || substr(h, 9, 4) || '-7' || substr(m, 1, 3) || '-a'
    || substr(m, 4, 3) || '-' || substr(m, 8, 12),
  'updated', 'portal', 'acme.bitrix24.com', i % 50000 + 1, 7,
  came_at, came_at, 'comments', 0, ms, i % 1000, came_at
FROM (
  SELECT i, ms, {at} AS came_at, lpad(to_hex(ms), 12, '0') AS h, md5(CAST(i AS varchar)) AS m
  FROM (SELECT i, {first_ms} + i * {step_ms} AS ms FROM {numbers}) AS timed
) AS made
"""


def loading(destination: str, directory: Path) -> LoadingProcess:
    """The process that loads for the consumer; nothing of it runs yet."""
    settings = Settings(
        warehouse=WarehouseSettings(destination=destination, work_dir=str(directory / "work"))
    )
    return LoadingProcess(Opening(warehouse=settings.warehouse, log=settings.log), idle_s=600)


async def prefilled_duckdb(path: Path, rows: int) -> None:
    """A file with the tables of this release and so many events, ten a second until now.

    They are of 50,000 comments, whose states are kept already.
    """
    await _made(f"duckdb:///{path}", path.parent)
    with closing(duckdb.connect(str(path))) as connection:
        connection.execute("SET threads = 1")
        connection.execute("SET memory_limit = '400MB'")
        _fill(
            connection.execute,
            rows,
            at="make_timestamptz(CAST(ms * 1000 AS bigint))",
            numbers="range({0}, {1}) AS numbers(i)",
        )
    _keep_states(f"duckdb:///{path}", path.parent)


async def prefilled_postgres(server: PostgresServer, rows: int, directory: Path) -> str:
    """The name of a database with the same."""
    name = server.new_database()
    await _made(server.url(name), directory)
    _fill(
        lambda statement: server.execute(name, statement),
        rows,
        at="to_timestamp(ms / 1000.0)",
        numbers="generate_series(CAST({0} AS bigint), {1} - 1) AS numbers(i)",
    )
    server.execute(name, "VACUUM ANALYZE bitrix24.comment_events")
    _keep_states(server.url(name), directory)
    return name


def _keep_states(url: str, directory: Path) -> None:
    """Make the states of all comments, which the loading process does in its pauses."""
    workspace = Workspace(directory / "work")
    database = database_of(destination(url), dataset="bitrix24", workspace=workspace)
    assert isinstance(database, StraightDatabase)
    states = KeptStates(database)
    with database.session():
        states.make()
    while states.refresh(least=1):
        pass
    database.close()
    workspace.close()


async def _made(destination: str, directory: Path) -> None:
    process = loading(destination, directory)
    try:
        await process.call(Prepare(), within_s=120)
    finally:
        await process.close()


def _fill(execute: Callable[[str], object], rows: int, *, at: str, numbers: str) -> None:
    step_ms = 1000 // _PER_SECOND
    first_ms = int(time.time() * 1000) - rows * step_ms
    for start in range(0, rows, _AT_ONCE):
        some = numbers.format(start, min(rows, start + _AT_ONCE))
        execute(_INSERT.format(at=at, first_ms=first_ms, step_ms=step_ms, numbers=some))
