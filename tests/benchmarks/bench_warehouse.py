"""`make bench-warehouse`: how fast the stream gets into DuckDB and PostgreSQL, in what memory.

First come loads by themselves (warehouse_loads.py). Then the consumer is a process of its own that
reads real Redis; the clock runs from the line in which it says that it has started until the last
row is committed. The bars are those of docs/warehouse.md; the exit code is 1 if one is missed.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.benchmarks.figure import Figure, at_least, at_most
from tests.benchmarks.recorded_run import Recorder, arguments
from tests.benchmarks.warehouse_loads import loads
from tests.integration.runtime.running import comment_event, publish
from tests.integration.warehouse.loading import ask_duckdb
from tests.support.postgres import PostgresServer

EVENTS = 300_000
COMMENTS = 50_000
BATCH = 10_000
RATE_BAR = 10_000
MEMORY_BAR_MB = 300
GROWTH_BAR_MB = 30


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=100_000, help="in the tables before loads")
    options = parser.parse_args()
    recorder = Recorder("warehouse", options.json)
    return recorder.concluded([*asyncio.run(loads(options.rows)), *from_the_stream()])


def from_the_stream() -> list[Figure]:
    """How fast the consumer loads what stands in Redis."""
    with TemporaryDirectory(prefix="bench-warehouse-", dir=Path.cwd()) as name:
        root = Path(name)
        server = RedisServer(find_server(), root / "redis")
        postgres = PostgresServer()
        server.start()
        try:
            postgres.start()
            asyncio.run(publish_all(server.url))
            file = root / "warehouse.duckdb"
            figures = measure(
                "DuckDB", server.url, f"duckdb:///{file}", root, ask_duckdb(str(file))
            )
            asyncio.run(forget(server.url))
            return figures + measure(
                "PostgreSQL", server.url, postgres.url(), root, postgres.asking("postgres")
            )
        finally:
            postgres.remove()
            server.stop()


async def publish_all(url: str) -> None:
    redis = connections.control(url)
    for first in range(0, EVENTS, BATCH):
        events = [comment_event(n % COMMENTS + 1) for n in range(first, first + BATCH)]
        await publish(redis, "b24:comments:{0}", events)
    await redis.aclose()


async def forget(url: str) -> None:
    """Let the next consumer begin at the beginning."""
    redis = connections.control(url)
    await redis.xgroup_destroy("b24:comments:{0}", "warehouse")
    async for key in redis.scan_iter("b24:*"):
        if key != b"b24:comments:{0}":
            await redis.delete(key)
    await redis.aclose()


def measure(
    name: str,
    redis_url: str,
    destination: str,
    root: Path,
    ask: Callable[[str], list[tuple[Any, ...]]],
) -> list[Figure]:
    log = root / f"{name}.log"
    environment = {
        **os.environ,
        "GATEWAY_REDIS_URL": redis_url,
        "GATEWAY_WAREHOUSE_DESTINATION": destination,
        "GATEWAY_WAREHOUSE_MAX_EVENTS": str(BATCH),
        "GATEWAY_WAREHOUSE_WORK_DIR": str(root / "work"),
        "GATEWAY_CONSUMERS_PORT": "0",
        "GATEWAY_LOG_FORMAT": "json",
    }
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "consumers", "run", "warehouse"], env=environment, stderr=errors
        ) as it,
    ):
        wait_for(log, EVENTS // 3, it)
        second = wait_for(log, 2 * EVENTS // 3, it)
        third = wait_for(log, EVENTS, it)
        peak = memory_mb(it.pid, "VmHWM")
        it.terminate()
    started = next(line for line in lines(log) if line["event"] == "consumer started")
    loads = [line for line in lines(log) if line["event"] == "batch loaded"]
    spent = (moment(loads[-1]) - moment(started)).total_seconds()
    rows = ask("SELECT COUNT(*), COUNT(DISTINCT event_id) FROM bitrix24.comment_events")
    if rows != [(EVENTS, EVENTS)]:
        raise SystemExit(f"{name} has {rows}, not {EVENTS} rows")
    growth = median(third) - median(second)
    return [
        at_least("events a second from the stream", EVENTS / spent, RATE_BAR, "/s", of=name),
        at_most("memory of consumer and child", peak, MEMORY_BAR_MB, "MB", of=name),
        at_most("its growth from the second third on", growth, GROWTH_BAR_MB, "MB", of=name),
    ]


def wait_for(log: Path, events: int, process: subprocess.Popen[bytes]) -> list[float]:
    """Until so many events are loaded; the resident memory of the process meanwhile, in MB."""
    deadline = time.monotonic() + 180
    samples = []
    while True:
        loaded = sum(line.get("events", 0) for line in lines(log))
        for _ in range(10):
            samples.append(memory_mb(process.pid, "VmRSS"))
            time.sleep(0.005)
        if loaded >= events:
            return samples
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"the consumer did not load {events} events:\n{log.read_text()}")


def lines(log: Path) -> list[dict[str, Any]]:
    whole, _, _ = log.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def moment(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["timestamp"])


def memory_mb(pid: int, field: str) -> float:
    """A field of /proc/<pid>/status, with that of the process that loads for it."""
    total = 0.0
    for one in (pid, *(child.pid for child in psutil.Process(pid).children())):
        with suppress(OSError):  # it has ended meanwhile
            status = Path(f"/proc/{one}/status").read_text().splitlines()
            total += sum(float(line.split()[1]) for line in status if line.startswith(field))
    return total / 1024


if __name__ == "__main__":
    sys.exit(main())
