"""How many notifications a second the notifier delivers into a local HTTP sink, and its memory.

The real process, a real server, a real HTTP sink. The sink runs in this process and takes its share
of the machine. Bars: 600 notifications/s, and under 300 MB that do not grow. With `--before DIR`,
the notifier of another checkout takes turns with this one, and is the measure for the memory.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.benchmarks.figure import Figure, Side, at_least, at_most, ratio
from tests.benchmarks.recorded_run import Recorder, arguments
from tests.integration.notifier.processes import (
    comment_event,
    is_reading,
    notifier_process,
    publish,
)
from tests.integration.notifier.sinks import http_sink
from tests.support.eventually import eventually

OURS: Final = "now"
BEFORE: Final = "before"
HERE: Final = Path(__file__).parents[2]
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


async def turn(directory: Path, url: str, tree: Path, events: int) -> Turn:
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
            for first in range(0, events, 1000):
                await publish(redis, *map(comment_event, range(first + 1, first + 1001)))
                wanted = first + 1000
                await eventually(lambda wanted=wanted: len(sink.received) >= wanted, timeout_s=120)  # type: ignore[misc]
                memory.append(memory_mb(process.pid))
            per_s = events / (time.perf_counter() - begun)
            cpu_ms = (cpu_s(process.pid) - cpu_before_s) * 1000 / events
    await redis.aclose()
    if not len(set(sink.keys)) == len(sink.received) == events:
        raise SystemExit(f"{len(sink.received)} notifications of {events} events")
    return Turn(
        per_s=per_s,
        cpu_ms=cpu_ms,
        at_rest_mb=at_rest_mb,
        half_way_mb=memory[len(memory) // 2],
        end_mb=memory[-1],
        most_mb=max(memory),
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
    )


def show(name: str, it: Turn) -> None:
    """Print what a checkout's notifier has done."""
    print(
        f"{name}: {it.per_s:.0f}/s, {it.cpu_ms:.2f} ms of CPU each, {it.at_rest_mb:.0f} MB at rest,"
    )
    print(f"  {it.half_way_mb:.0f} half way, {it.end_mb:.0f} at the end, {it.most_mb:.0f} at most")


async def compare(
    directory: Path, url: str, trees: Mapping[str, Path], events: int, rounds: int
) -> list[Figure]:
    """Take turns."""
    turns: dict[str, list[Turn]] = {name: [] for name in trees}
    for _ in range(rounds):
        for name, tree in trees.items():
            turns[name].append(await turn(directory, url, tree, events))
    medians = {name: median(taken) for name, taken in turns.items()}
    for name, it in medians.items():
        show(name, it)
    ours = medians[OURS]
    figures = [
        at_least("notifications a second", ours.per_s, BAR_PER_S, "/s"),
        at_most("memory", ours.most_mb, BAR_MB, "MB"),
        at_most("its growth, second half", ours.end_mb - ours.half_way_mb, BAR_GROWTH_MB, "MB"),
    ]
    return figures + (beside(ours, medians[BEFORE]) if BEFORE in medians else [])


def beside(ours: Turn, before: Turn) -> list[Figure]:
    """What it does, and takes, of what it did before."""

    def compared(name: str, field: str, unit: str) -> Figure:
        now, then = (Side(it, getattr(turn, field), unit) for it, turn in sides)
        return ratio(f"{name}, beside before", now, then)

    sides = ((OURS, ours), (BEFORE, before))
    return [
        compared("notifications a second", "per_s", "/s"),
        compared("CPU time of a notification", "cpu_ms", "ms"),
        at_most("memory more than before", ours.most_mb - before.most_mb, BAR_GROWTH_MB, "MB"),
    ]


def main() -> int:
    """Run once; exit code 1 below a bar."""
    parser = arguments(__doc__, is_compared=True)
    parser.add_argument("--events", type=int, default=12_000, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    recorder = Recorder("notifier", options.json)
    trees = {OURS: HERE} | ({BEFORE: options.before.resolve()} if options.before else {})
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory) / "redis", append_only=True)
        server.start()
        try:
            compared = compare(Path(directory), server.url, trees, options.events, options.rounds)
            figures = asyncio.run(compared)
        finally:
            server.stop()
    return recorder.concluded(figures)


if __name__ == "__main__":
    sys.exit(main())
