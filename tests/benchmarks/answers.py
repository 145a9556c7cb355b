"""Answer times at a steady rate, with Redis and without it, and the receiver's memory over time."""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil

from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.ingest.contenders import Contender, bodies, gateway_command
from tests.benchmarks.load import Load
from tests.benchmarks.table import table

RATE: Final = 1000
BARS_MS: Final = {"redis": 25.0, "spool": 50.0}
MEMORY_BAR_MB: Final = 120.0
FLAT_MB: Final = 10.0
# How much the second half of a run may have more than the first: the allocator's play.


def percentile(seconds: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(seconds)[int(len(seconds) * share) - 1] * 1000


async def steady(contender: Contender, seconds: float) -> list[float]:
    """Answer times of a steady load; every answer must be 200."""
    load = Load(contender.port, bodies())
    await load.open()
    await load.steadily(RATE, seconds)
    load.close()
    if load.statuses.keys() != {"200"}:
        raise SystemExit(f"answers: {load.statuses}")
    return load.seconds


async def answer_times(seconds: float) -> list[dict[str, object]]:
    """One row with Redis there, one with Redis gone."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        server = RedisServer(find_server(), directory / "redis", append_only=True)
        server.start()
        contender = Contender("gateway", gateway_command(), directory, server.url)
        try:
            await contender.open()
            await steady(contender, 2)  # warms up
            with_redis = await steady(contender, seconds)
            server.kill()
            await steady(contender, 2)
            without = await steady(contender, seconds)
        finally:
            contender.stop()
            server.stop()
    return [
        {
            "stored_in": place,
            "events": len(times),
            "p50_ms": round(statistics.median(times) * 1000, 2),
            "p99_ms": round(percentile(times, 0.99), 2),
            "max_ms": round(max(times) * 1000, 2),
            "bar_ms": BARS_MS[place],
            "holds": percentile(times, 0.99) < BARS_MS[place],
        }
        for place, times in (("redis", with_redis), ("spool", without))
    ]


async def memory(minutes: float) -> dict[str, object]:
    """Resident megabytes of the receiver under 64 connections at the steady rate."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        server = RedisServer(find_server(), directory / "redis", append_only=True)
        server.start()
        contender = Contender("gateway", gateway_command(), directory, server.url)
        process = psutil.Process(contender.process.pid)
        sizes: list[float] = []
        try:
            await contender.open()
            await steady(contender, 5)
            end = time.monotonic() + minutes * 60
            while time.monotonic() < end:
                await steady(contender, 5)
                sizes.append(process.memory_info().rss / 1e6)
        finally:
            contender.stop()
            server.stop()
    half = len(sizes) // 2
    first, second = statistics.mean(sizes[:half]), statistics.mean(sizes[half:])
    return {
        "minutes": minutes,
        "most_mb": round(max(sizes), 1),
        "first_half_mb": round(first, 1),
        "second_half_mb": round(second, 1),
        "bar_mb": MEMORY_BAR_MB,
        "holds": max(sizes) < MEMORY_BAR_MB and second - first < FLAT_MB,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["times", "memory"])
    parser.add_argument("--seconds", type=float, default=20, help="of each load (times)")
    parser.add_argument("--minutes", type=float, default=10, help="of the load (memory)")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    options = parser.parse_args()
    rows = (
        asyncio.run(answer_times(options.seconds))
        if options.what == "times"
        else [asyncio.run(memory(options.minutes))]
    )
    print(table(rows))
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(not all(row["holds"] for row in rows))


if __name__ == "__main__":
    main()
