"""How many notifications a second the notifier delivers into a local HTTP sink, and its memory.

The real process, a real server, a real HTTP sink. The sink runs in this process and takes its share
of the machine. Bars: 600 notifications/s, and under 300 MB that do not grow. With `BEFORE=DIR`, the
notifier of another checkout takes turns with this one, and is the measure for the memory.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.integration.notifier.processes import (
    comment_event,
    is_reading,
    notifier_process,
    publish,
)
from tests.integration.notifier.sinks import http_sink
from tests.support.eventually import eventually

EVENTS: Final = int(os.environ.get("BENCH_EVENTS", "12000"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
HERE: Final = Path(__file__).parents[2]
BEFORE: Final = [Path(one).resolve() for one in [os.environ.get("BEFORE")] if one]
BAR_PER_S = 600
BAR_MB = 300
BAR_GROWTH_MB = 10


class Turn(Struct, frozen=True):
    """What one process has done: the rate, its CPU time for each, its memory at some points."""

    per_s: float
    cpu_ms: float
    at_rest_mb: float
    half_way_mb: float
    end_mb: float
    most_mb: float
    is_each_once: bool


def memory_mb(pid: int) -> float:
    """The process's resident memory."""
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) / 1024


def cpu_s(pid: int) -> float:
    """The seconds of processor time that the process has had."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


async def turn(directory: Path, url: str, tree: Path) -> Turn:
    """Deliver all events by the notifier of a checkout, on an empty server."""
    redis = connections.control(url, timeout_s=30)
    await redis.flushall()
    async with http_sink() as sink:
        routes = f'allow_private = true\n[[notifier.routes]]\nurls = ["{sink.url}"]\nwindow_s = 0\n'
        with notifier_process(
            url, routes, directory, environment={"PYTHONPATH": str(tree)}
        ) as process:
            await eventually(lambda: is_reading(redis))
            at_rest_mb = memory_mb(process.pid)
            begun, cpu_before_s = time.perf_counter(), cpu_s(process.pid)
            memory = []
            for first in range(0, EVENTS, 1000):
                await publish(redis, *map(comment_event, range(first + 1, first + 1001)))
                wanted = first + 1000
                await eventually(lambda wanted=wanted: len(sink.received) >= wanted, timeout_s=120)  # type: ignore[misc]
                memory.append(memory_mb(process.pid))
            per_s = EVENTS / (time.perf_counter() - begun)
            cpu_ms = (cpu_s(process.pid) - cpu_before_s) * 1000 / EVENTS
    await redis.aclose()
    return Turn(
        per_s=per_s,
        cpu_ms=cpu_ms,
        at_rest_mb=at_rest_mb,
        half_way_mb=memory[len(memory) // 2],
        end_mb=memory[-1],
        most_mb=max(memory),
        is_each_once=len(set(sink.keys)) == len(sink.received) == EVENTS,
    )


def median(turns: list[Turn]) -> Turn:
    """The median of each figure."""

    def middle(name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in turns))

    return Turn(
        per_s=middle("per_s"),
        cpu_ms=middle("cpu_ms"),
        at_rest_mb=middle("at_rest_mb"),
        half_way_mb=middle("half_way_mb"),
        end_mb=middle("end_mb"),
        most_mb=middle("most_mb"),
        is_each_once=all(one.is_each_once for one in turns),
    )


def show(name: str, it: Turn) -> None:
    """Print what a checkout's notifier has done."""
    print(f"{name}")
    print(f"  notifications/s     {it.per_s:8.0f}")
    print(f"  CPU ms each         {it.cpu_ms:8.2f}")
    print(f"  memory, MB          {it.most_mb:8.0f}   (at rest {it.at_rest_mb:.0f})")
    print(f"    after {EVENTS // 2:6}      {it.half_way_mb:8.0f}")
    print(f"    after {EVENTS:6}      {it.end_mb:8.0f}")
    print(f"  each event once     {it.is_each_once!s:>8}")


async def compare(directory: Path, url: str) -> bool:
    """Take turns and print the figures; whether the bars are reached."""
    turns: dict[Path, list[Turn]] = {tree: [] for tree in [HERE, *BEFORE]}
    for _ in range(ROUNDS):
        for tree, taken in turns.items():
            taken.append(await turn(directory, url, tree))
    ours = median(turns[HERE])
    show("this checkout", ours)
    most_mb = float(BAR_MB)
    for tree in BEFORE:
        before = median(turns[tree])
        show("before", before)
        print(f"of before: {ours.per_s / before.per_s:.2f} of the rate,", end=" ")
        print(f"{ours.cpu_ms / before.cpu_ms:.2f} of the CPU time")
        most_mb = before.most_mb + BAR_GROWTH_MB
    bars = {
        f"at least {BAR_PER_S} notifications/s": ours.per_s >= BAR_PER_S,
        f"under {most_mb:.0f} MB": ours.most_mb < most_mb,
        f"grows by less than {BAR_GROWTH_MB} MB": ours.end_mb - ours.half_way_mb < BAR_GROWTH_MB,
        "each event once": ours.is_each_once,
    }
    for words, is_met in bars.items():
        print("ok  " if is_met else "MISS", words)
    return all(bars.values())


def main() -> None:
    """Run once; exit code 1 below a bar."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory) / "redis", append_only=True)
        server.start()
        try:
            reached = asyncio.run(compare(Path(directory), server.url))
        finally:
            server.stop()
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
