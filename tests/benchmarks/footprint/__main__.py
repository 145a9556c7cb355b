"""`make bench-footprint`: what a whole installation takes of memory, and its processes to start.

Memory is the proportional share (PSS) of each process of `gateway up`, before the first event and
idle after the last; Redis, which holds the events, counts apart. Each process is also started on
its own, as systemd and containers do, until it answers that it is ready. With `--before DIR` an
older checkout, such as `git worktree add` makes, is the other side of the ratios, in the same run.

Exit code 1 if a bar is missed; without another checkout there is only the one in MB.
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from msgspec import Struct

from gateway.local.redis_server import RedisServer, find_server
from tests.benchmarks.figure import Bar, Figure, Side, at_most, ratio
from tests.benchmarks.footprint.checkouts import HERE, Checkout
from tests.benchmarks.footprint.installation import Installation, installed
from tests.benchmarks.footprint.start_up import COMMANDS, Starts
from tests.benchmarks.recorded_run import Recorder, arguments

BAR_MB: Final = 220
BAR_RATIO: Final = 0.6
START_BAR: Final = 0.5
OWN: Final = (*COMMANDS, "up")
ALL: Final = "all without Redis"


def started_alone(sides: Sequence[Checkout], rounds: int) -> list[Figure]:
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
    return [
        _beside(
            f"{what}, as a program",
            [
                Side(side.checkout.name, getattr(side.typical(command), field), unit)
                for side in starts
            ],
            bar,
            of=command,
        )
        for command in COMMANDS
        for what, field, unit, bar in (
            ("CPU time of a start", "cpu_s", "s", START_BAR),
            ("time of a start", "wall_s", "s", None),
            ("memory after the start", "pss_mb", "MB", None),
        )
    ]


def _beside(name: str, sides: Sequence[Side], most: float | None = None, *, of: str) -> Figure:
    """A figure of one side, or the ratio of two."""
    if len(sides) == 1:
        return Figure(name, sides[0].value, sides[0].unit, of=of)
    now, before = sides
    return ratio(name, now, before, Bar(most) if most else None, of=of)


class Footprint(Struct, frozen=True):
    """What one installation took: MB of each process at rest and after its work; its starts."""

    at_rest: dict[str, float]
    after_work: dict[str, float]
    starts: dict[str, tuple[float, float]]
    """Of each process: seconds of CPU, and by the clock, until it was ready."""


async def taken(side: Checkout, events: int, rest_s: float) -> Footprint:
    """The footprint of an installation of one side."""
    with TemporaryDirectory(prefix="bench-footprint-") as name:
        async with installed(side, Path(name)) as installation:
            return await _observed(installation, events, rest_s)


async def _observed(installation: Installation, events: int, rest_s: float) -> Footprint:
    await installation.start()
    await installation.rest(rest_s / 4)
    at_rest = installation.shares()
    await installation.work(events)
    await installation.rest(rest_s)
    return Footprint(at_rest, installation.shares(), installation.starts)


def together(of: dict[str, list[Footprint]], events: int) -> list[Figure]:
    """The medians of each process, and of all without Redis."""
    moments = (("at rest", "at_rest"), (f"idle after {events:,} events", "after_work"))
    figures = [
        _beside(
            f"memory {when}",
            [
                Side(name, median(_mb(getattr(one, moment), process) for one in runs), "MB")
                for name, runs in of.items()
            ],
            BAR_RATIO if process == ALL and moment == "after_work" else None,
            of=process,
        )
        for process in (*OWN, "redis", ALL)
        for when, moment in moments
    ]
    now_mb = median(_mb(one.after_work, ALL) for one in of[HERE.name])
    figures.append(at_most(f"memory of {ALL}, {moments[1][0]}", now_mb, BAR_MB, "MB"))
    return figures + [
        _beside(
            f"{what} of a start in `gateway up`",
            [
                Side(name, median(one.starts[process][index] for one in runs), "s")
                for name, runs in of.items()
            ],
            START_BAR,
            of=process,
        )
        for process in COMMANDS
        for index, what in enumerate(("CPU time", "time"))
    ]


def _mb(parts: dict[str, float], process: str) -> float:
    own = sum(mb for name, mb in parts.items() if name != "redis")
    return own if process == ALL else parts.get(process, 0.0)


def main() -> int:
    parser = arguments(__doc__, is_compared=True)
    parser.add_argument("--events", type=int, default=100_000, help="that are handled")
    parser.add_argument("--rounds", type=int, default=5, help="starts of each process on its own")
    parser.add_argument("--runs", type=int, default=1, help="installations of each side")
    parser.add_argument("--rest", type=float, default=120, help="idle seconds before the last look")
    options = parser.parse_args()
    recorder = Recorder("footprint", options.json)
    sides = [HERE]
    if options.before:
        sides.append(Checkout("before", options.before.resolve()))
    for side in sides:
        side.compile()
    alone = started_alone(sides, options.rounds) if options.rounds else []
    of: dict[str, list[Footprint]] = {side.name: [] for side in sides}
    for _ in range(options.runs):
        for side in sides:
            of[side.name].append(asyncio.run(taken(side, options.events, options.rest)))
    installed_together = together(of, options.events) if options.runs else []
    return recorder.concluded([*installed_together, *alone])


if __name__ == "__main__":
    sys.exit(main())
