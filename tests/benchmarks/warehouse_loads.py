"""What a load costs, beside the least that does the same: a part of `make bench-warehouse`.

The consumer's loading process gets raw entries over its socket and says when they are committed.
Beside it, in the same rounds, rows that stand in Arrow already are written by hand: in PostgreSQL
by COPY into a temporary table and INSERT … ON CONFLICT, in DuckDB by an insert from Arrow, MERGE.
Each has a table of its own, which has rows already, and opens and closes what it loads into, as a
load does.

CPU time is that of all that takes part: this process, the loading one, the database server. Means,
because every dozenth load of DuckDB pays for the others: it joins their row groups.
"""

import os
import shutil
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Final

import duckdb
import psutil
import psycopg2
import pyarrow as pa
from pyarrow import csv

from consumers import Entry
from consumers.warehouse import event_rows
from consumers.warehouse.loading_messages import Load, RawEntry
from consumers.warehouse.loading_process import LoadingProcess
from gateway.contract import encode_event
from tests.benchmarks.figure import Bar, Figure, Side, at_most, ratio
from tests.benchmarks.prefilled_warehouse import loading, prefilled_duckdb, prefilled_postgres
from tests.integration.runtime.running import comment_event
from tests.support.postgres import PostgresServer

__all__ = ["loads"]

LONE_BAR_MS: Final = 80
POSTGRES_BAR: Final = 0.6
DUCKDB_BAR: Final = 0.5
MEMORY_BAR_MB: Final = 350
BATCH: Final = 10_000
LONE_ROUNDS: Final = 30
ROUNDS: Final = 13
"""Ten thousand rows each: as many as fill a row group of DuckDB, so that one is joined."""


async def loads(rows: int) -> list[Figure]:
    """What loads into tables of so many rows cost, of one row and of many."""
    figures = []
    with TemporaryDirectory(prefix="bench-loads-", dir=Path.cwd()) as name:
        root = Path(name)
        (root / "ours").mkdir()
        ours, theirs = root / "ours" / "warehouse.duckdb", root / "theirs.duckdb"
        await prefilled_duckdb(ours, rows)
        shutil.copy(ours, theirs)
        process = loading(f"duckdb:///{ours}", root)
        figures += await _beside(
            "DuckDB", process, lambda rows: _merged(theirs, rows), DUCKDB_BAR, server=None
        )
        postgres = PostgresServer()
        try:
            postgres.start()
            database = await prefilled_postgres(postgres, rows, root)
            copy = await prefilled_postgres(postgres, rows, root)
            process = loading(postgres.url(database), root)
            figures += await _beside(
                "PostgreSQL",
                process,
                lambda rows: _upserted(postgres, copy, rows),
                POSTGRES_BAR,
                server=postgres.pid,
            )
        finally:
            postgres.remove()
    return figures


async def _beside(
    name: str,
    process: LoadingProcess,
    by_hand: Callable[[pa.Table], None],
    bar: float,
    *,
    server: int | None,
) -> list[Figure]:
    """What loads of one row and of many cost, both ways."""

    async def through_the_consumer(entries: list[Entry]) -> None:
        raw = [RawEntry(one.stream, one.partition, one.id, one.raw) for one in entries]
        assert await process.call(Load(raw), within_s=600) == len(entries)

    async def written_by_hand(rows: pa.Table) -> None:
        by_hand(rows)

    def cpu_s() -> float:
        return sum(_cpu_s(pid) for pid in (os.getpid(), process.pid, server) if pid)

    try:
        await through_the_consumer(_entries(1))  # the process has begun, and has its libraries
        costs: dict[int, tuple[list[float], list[float]]] = {}
        making: list[float] = []
        for count, rounds in ((1, LONE_ROUNDS), (BATCH, ROUNDS)):
            costs[count] = [], []
            for _ in range(rounds):
                entries = _entries(count)
                others, before_s = _entries(count), cpu_s()
                rows = event_rows.table(others, loaded_at=datetime.now(UTC))
                making.append(cpu_s() - before_s)
                costs[count][0].append(await _cost(cpu_s, through_the_consumer(entries)))
                costs[count][1].append(await _cost(cpu_s, written_by_hand(rows)))
        assert process.pid is not None
        peak_mb = _peak_mb(process.pid)
    finally:
        await process.close()
    return _figures(name, costs, mean(making[LONE_ROUNDS:]), bar, peak_mb)


def _figures(
    name: str,
    costs: dict[int, tuple[list[float], list[float]]],
    making_s: float,
    bar: float,
    peak_mb: float,
) -> list[Figure]:
    lone_ms, plain_ms = (1000 * mean(side) for side in costs[1])
    spent_s, by_hand_s = (mean(side) for side in costs[BATCH])
    # COPY begins with the events, of which it needs text; an insert from Arrow with Arrow.
    compared_s = by_hand_s if name == "DuckDB" else by_hand_s + making_s
    ours = Side("the consumer", BATCH / spent_s, "rows/CPU s")
    theirs = Side("by hand", BATCH / compared_s, "rows/CPU s")
    return [
        at_most("CPU time of a load of one row", lone_ms, LONE_BAR_MS, "ms", of=name),
        Figure("CPU time of the same by hand", plain_ms, "ms", of=name),
        ratio(
            f"rows a CPU second, {BATCH:,} in a load, beside by hand",
            ours,
            theirs,
            Bar(bar, is_least=True),
            of=name,
        ),
        at_most("memory of the process that loads", peak_mb, MEMORY_BAR_MB, "MB", of=name),
    ]


async def _cost(cpu_s: Callable[[], float], doing: Awaitable[None]) -> float:
    before = cpu_s()
    await doing
    return cpu_s() - before


def _entries(count: int) -> list[Entry]:
    now_ms = int(time.time() * 1000)
    events = [comment_event(number % 50_000 + 1) for number in range(count)]
    return [
        Entry(
            stream="comments",
            partition=0,
            epoch=1,
            id=f"{now_ms}-{number}",
            event=event,
            raw=encode_event(event),
        )
        for number, event in enumerate(events)
    ]


def _merged(path: Path, rows: pa.Table) -> None:
    with closing(duckdb.connect(str(path))) as connection:
        for setting in ("memory_limit = '48MB'", "threads = 1", "preserve_insertion_order = false"):
            connection.execute(f"SET {setting}")
        connection.register("came", rows)
        connection.execute("CREATE TEMP TABLE staged AS SELECT * FROM came")
        connection.execute(
            "MERGE INTO bitrix24.comment_events AS old USING staged AS new "
            "ON old.event_id = new.event_id "
            "WHEN MATCHED THEN UPDATE BY NAME WHEN NOT MATCHED THEN INSERT BY NAME"
        )


def _upserted(server: PostgresServer, database: str, rows: pa.Table) -> None:
    text = BytesIO()
    csv.write_csv(rows, text, csv.WriteOptions(include_header=False))
    text.seek(0)
    names = ", ".join(rows.column_names)
    taken = ", ".join(f"{name} = EXCLUDED.{name}" for name in rows.column_names)
    with closing(psycopg2.connect(server.url(database))) as connection, connection.cursor() as own:
        own.execute(
            "CREATE TEMP TABLE staged ON COMMIT DROP AS "
            f"SELECT {names} FROM bitrix24.comment_events WITH NO DATA"
        )
        own.copy_expert("COPY staged FROM STDIN WITH (FORMAT csv)", text)
        own.execute(
            f"INSERT INTO bitrix24.comment_events ({names}) SELECT {names} FROM staged "
            f"ON CONFLICT (event_id) DO UPDATE SET {taken}"
        )
        connection.commit()


def _cpu_s(pid: int) -> float:
    """CPU time of a process, and of a server's sessions, those that have ended included."""
    process = psutil.Process(pid)
    if pid == os.getpid():
        return float(sum(process.cpu_times()[:2]))
    while True:
        with suppress(psutil.NoSuchProcess):  # one has ended meanwhile
            living_s = sum(sum(child.cpu_times()[:2]) for child in process.children())
            return float(sum(process.cpu_times()[:4])) + living_s


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
