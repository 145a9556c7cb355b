"""`make bench-footprint`: what a whole installation takes of memory, and its processes to start.

Memory is the proportional share (PSS) of each process of `gateway up`, before the first event and
idle after the last; Redis, which holds the events, counts apart. Each process is also started on
its own, as systemd and containers do, until it answers that it is ready. An older checkout, such as
`git worktree add` makes, is the other side of the ratios: both take turns in one run.

Exit code 1 if a bar is missed; without another checkout there is only the one in MB.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.footprint.checkouts import HERE, Checkout
from tests.benchmarks.footprint.installation import Installation, installed
from tests.benchmarks.footprint.start_up import COMMANDS, Starts
from tests.benchmarks.table import table

BAR_MB: Final = 220
BAR_RATIO: Final = 0.6
START_BAR: Final = 0.5
OWN: Final = (*COMMANDS, "up")


def started_alone(sides: Sequence[Checkout], rounds: int) -> list[dict[str, object]]:
    """The medians of each command on each side, in alternating rounds after one that warms up."""
    starts = [Starts(side) for side in sides]
    with TemporaryDirectory(prefix="bench-footprint-") as name:
        directory = Path(name)
        server = RedisServer(find_server(), directory / "redis")
        server.start()
        try:
            for number in range(rounds + 1):
                for command in COMMANDS:
                    for side in starts:
                        side.start(command, directory, server.url, is_counted=number > 0)
        finally:
            server.stop()
    return [_start_row(command, starts) for command in COMMANDS]


def _start_row(command: str, starts: Sequence[Starts]) -> dict[str, object]:
    row: dict[str, object] = {"alone": command}
    of = {one.checkout.name: one.typical(command) for one in starts}
    for name, start in of.items():
        row[f"{name}_cpu_s"] = round(start.cpu_s, 2)
        row[f"{name}_wall_s"] = round(start.wall_s, 2)
        row[f"{name}_mb"] = round(start.pss_mb, 1)
    if len(of) > 1:
        now, before = of.values()
        row["cpu_ratio"] = round(now.cpu_s / before.cpu_s, 2)
        row["bar"] = START_BAR
        row["holds"] = now.cpu_s <= START_BAR * before.cpu_s
    return row


class Footprint:
    """What one installation took: MB of each process at rest, and after its work."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.at_rest: dict[str, float] = {}
        self.after_work: dict[str, float] = {}
        self.starts: dict[str, tuple[float, float]] = {}

    async def take(self, events: int, rest_s: float) -> None:
        await self._installation.start()
        self.starts = self._installation.starts
        await self._installation.rest(rest_s / 4)
        self.at_rest = self._installation.shares()
        await self._installation.work(events)
        await self._installation.rest(rest_s)
        self.after_work = self._installation.shares()


async def taken(side: Checkout, events: int, rest_s: float) -> Footprint:
    """The footprint of an installation of one side."""
    with TemporaryDirectory(prefix="bench-footprint-") as name:
        async with installed(side, Path(name)) as installation:
            footprint = Footprint(installation)
            await footprint.take(events, rest_s)
            return footprint


def memory_rows(of: dict[str, list[Footprint]]) -> list[dict[str, object]]:
    """The medians of each process, and of all without Redis."""
    rows = []
    for process in (*OWN, "redis", "all without redis"):
        row: dict[str, object] = {"in gateway up": process}
        for name, footprints in of.items():
            for moment in ("at_rest", "after_work"):
                each = [_mb(getattr(one, moment), process) for one in footprints]
                row[f"{name}_{moment}_mb"] = round(median(each), 1)
            for index, what in enumerate(("cpu_s", "wall_s")):
                times = [one.starts[process][index] for one in footprints if process in one.starts]
                row[f"{name}_{what}"] = round(median(times), 3) if times else ""
        if len(of) > 1:
            row["start_holds"] = _starts_in_half_the_time(row)
        rows.append(row)
    return rows


def _starts_in_half_the_time(row: Mapping[str, Any]) -> bool | str:
    now, before = row["now_cpu_s"], row["before_cpu_s"]
    return bool(now <= START_BAR * before) if now and before else ""


def _mb(parts: dict[str, float], process: str) -> float:
    own = sum(mb for name, mb in parts.items() if name != "redis")
    return own if process == "all without redis" else parts.get(process, 0.0)


def holds(total: dict[str, object]) -> bool:
    """Whether the sum is within its bars; says so."""
    now: Any = total["now_after_work_mb"]
    before: Any = total.get("before_after_work_mb")
    bars = {f"{now} MB after the work (bar {BAR_MB})": now <= BAR_MB}
    if before:
        ratio = now / before
        bars[f"{ratio:.2f} of the other checkout's (bar {BAR_RATIO})"] = ratio <= BAR_RATIO
    for bar, is_met in bars.items():
        print("ok  " if is_met else "MISS", bar)
    return all(bars.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other", metavar="DIRECTORY", help="an older checkout to compare with")
    parser.add_argument("--events", type=int, default=100_000, help="that are handled")
    parser.add_argument("--rounds", type=int, default=5, help="starts of each process on its own")
    parser.add_argument("--runs", type=int, default=1, help="installations of each side")
    parser.add_argument("--rest", type=float, default=120, help="idle seconds before the last look")
    parser.add_argument("--json", metavar="FILE", help="write the tables there, too")
    options = parser.parse_args()
    sides = [HERE]
    if options.other:
        sides.append(Checkout("before", Path(options.other).resolve()))
    for side in sides:
        side.compile()
    alone = started_alone(sides, options.rounds) if options.rounds else []
    of: dict[str, list[Footprint]] = {side.name: [] for side in sides}
    for _ in range(options.runs):
        for side in sides:
            of[side.name].append(asyncio.run(taken(side, options.events, options.rest)))
    together = memory_rows(of) if options.runs else []
    if options.json:
        result = {"alone": alone, "together": together}
        Path(options.json).write_text(json.dumps(result, indent=2) + "\n")
    for rows in filter(None, (alone, together)):
        print(table(rows), end="\n\n")
    are_quick = all(row.get("holds", True) for row in alone)
    is_small = holds(together[-1]) if together else True
    sys.exit(not (are_quick and is_small))


if __name__ == "__main__":
    main()
