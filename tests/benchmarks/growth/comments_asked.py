"""Measures the view `comments` in DuckDB, by the events that there are: of `make bench-growth`.

Asked are the states of a day, and the number of all, by a process of its own; after a load, so
that some states are stale, and the view has to make them.
"""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from consumers.warehouse.loading_messages import Load, RawEntry
from gateway.contract import encode_event
from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.prefilled_warehouse import loading, prefilled_duckdb
from tests.integration.runtime.running import comment_event

__all__ = ["curves"]

_SIZES: Final = (100_000, 1_000_000, 5_000_000)
_STALE: Final = 1_000
# The view reads all events of stale comments, and those are fifty times as many at the last size.
_MOST_EXPONENT: Final = 0.5
_BAR_S: Final = 1.0
_BAR_MB: Final = 350.0
_DAY: Final = (
    "SELECT member_id, comment_id, text, is_deleted, last_event_at FROM comments "
    "WHERE last_event_at > now() - INTERVAL 1 DAY"
)
_ALL: Final = "SELECT COUNT(*) FROM comments"
_ASKING: Final = """
import sys, time, duckdb
path, query = sys.argv[1:]
connection = duckdb.connect(path, read_only=True)
connection.execute("SET enable_progress_bar = false")
connection.execute("SET search_path = 'bitrix24,main'")
before = time.process_time()
found = connection.execute(query).fetchall()
spent = time.process_time() - before
assert found and found[0][0]
status = open("/proc/self/status").read().split("VmHWM:")[1]
print([spent, int(status.split()[0]) / 1024])
"""


def curves(directory: Path) -> list[Curve]:
    """CPU time and memory of both questions."""
    asked = {"a day's": _DAY, "the number of all": _ALL}
    spent_s: dict[str, dict[int, float]] = {name: {} for name in asked}
    peak_mb: dict[str, dict[int, float]] = {name: {} for name in asked}
    for size in _SIZES:
        path = directory / str(size) / "warehouse.duckdb"
        path.parent.mkdir(parents=True)
        asyncio.run(_made(path, size))
        for name, query in asked.items():
            answers = [_answer(path, query) for _ in range(3)]
            spent_s[name][size] = min(spent for spent, _ in answers)
            peak_mb[name][size] = min(peak for _, peak in answers)
        path.unlink()
    return [
        Curve(
            name=f"states of comments, {name}: {what}",
            of="events",
            unit=unit,
            costs=costs[name],
            most_exponent=_MOST_EXPONENT,
            bar=bar,
        )
        for name in asked
        for what, unit, costs, bar in (
            ("CPU time", "s of CPU", spent_s, _BAR_S),
            ("memory", "MB resident", peak_mb, _BAR_MB),
        )
    ]


async def _made(path: Path, rows: int) -> None:
    await prefilled_duckdb(path, rows)
    process = loading(f"duckdb:///{path}", path.parent)
    events = [comment_event(number % 50_000 + 1) for number in range(_STALE)]
    some = [RawEntry("comments", 0, f"1-{n}", encode_event(one)) for n, one in enumerate(events)]
    await process.call(Load(some), within_s=120)
    await process.close()


def _answer(path: Path, query: str) -> tuple[float, float]:
    command = (sys.executable, "-c", _ASKING, str(path), query)
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout, type=tuple[float, float])
