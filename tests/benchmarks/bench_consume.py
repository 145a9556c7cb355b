"""`make bench-consume`: the runtime against FastStream and against a plain loop, in one run.

Each reads the same entries in a process of its own, in alternating rounds; the figures are
the medians of what each took of the processor, and on the clock. With `--before DIR`, the runtime
of another checkout takes part. Exit code 1 if a bar is missed.
"""

import asyncio
import logging
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Final

import structlog
import uvloop

from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.benchmarks import consume_contenders
from tests.benchmarks.consume_contenders import KEY
from tests.benchmarks.end_to_end import waits_s
from tests.benchmarks.figure import Bar, Figure, Side, at_most, ratio
from tests.benchmarks.recorded_run import Recorder, arguments
from tests.integration.runtime.running import comment_event, publish

FASTSTREAM_BAR: Final = Bar(8, is_least=True)
PLAIN_BAR: Final = Bar(0.9, is_least=True)
BEFORE_BAR: Final = Bar(1.25, is_least=True)
WAIT_BAR_MS: Final = 50
HERE: Final = Path(__file__).parents[2]
SCRIPT: Final = consume_contenders.__file__
_groups = count(1)


class Contender:
    """One way to read, on the packages of a checkout, and what its rounds have cost."""

    def __init__(self, name: str, way: str, *, tree: Path = HERE, entries: int) -> None:
        self.name = name
        self._way = way
        self._tree = tree
        self._entries = entries
        self._cpu_us: list[float] = []
        self._clock_us: list[float] = []
        self.groups: list[str] = []

    def take_turn(self, url: str) -> None:
        """Read the stream once, as a group of its own."""
        group = f"{self._way}-{next(_groups)}"
        self.groups.append(group)
        said = subprocess.run(
            [sys.executable, SCRIPT, self._way, url, group, str(self._entries)],
            env=os.environ | {"PYTHONPATH": str(self._tree)},
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        cpu_s, clock_s = map(float, said.split())
        self._cpu_us.append(cpu_s * 1e6 / self._entries)
        self._clock_us.append(clock_s * 1e6 / self._entries)

    @property
    def per_s(self) -> Side:
        """Events a second."""
        return Side(self.name, 1e6 / self.clock_us, "events/s")

    @property
    def per_cpu_s(self) -> Side:
        """Events a second of CPU time."""
        return Side(self.name, 1e6 / self.cpu_us, "events/CPU s")

    @property
    def cpu_us(self) -> float:
        """The processor's microseconds for one event."""
        return statistics.median(self._cpu_us)

    @property
    def clock_us(self) -> float:
        """The clock's microseconds for one event."""
        return statistics.median(self._clock_us)


async def pending(url: str, group: str) -> int:
    client = connections.control(url)
    count: int = (await client.xpending(KEY, group))["pending"]
    await client.aclose()
    return count


async def measured(entries: int, rounds: int, before: Path | None) -> list[Figure]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory))
        server.start()
        try:
            waits = await waits_s(server, Path(directory))
            await empty(server)
            await fill(server, entries)
            figures = await compare(server, contenders(entries, before), rounds)
        finally:
            server.stop()
    p50, p99 = (1000 * waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    about = "from 200 to the handler's start at 1,000 events/s"
    return [
        *figures,
        Figure(f"{about}, p50", p50, "ms"),
        at_most(f"{about}, p99", p99, WAIT_BAR_MS, "ms"),
    ]


async def fill(server: RedisServer, entries: int) -> None:
    client = connections.control(server.url, timeout_s=30)
    for first in range(0, entries, 1000):
        await publish(client, KEY, [comment_event((first + n) % 5000 + 1) for n in range(1000)])
    await client.aclose()


async def empty(server: RedisServer) -> None:
    async with connections.control(server.url, timeout_s=10) as client:
        await client.flushall()


def contenders(entries: int, before: Path | None) -> dict[str, Contender]:
    """What takes turns, by its way to read."""
    found = {
        "plain": Contender("plain loop", "plain", entries=entries),
        "events": Contender("handler of events", "events", entries=entries),
        "batches": Contender("handler of batches", "batches", entries=entries),
        "faststream": Contender("FastStream", "faststream", entries=max(entries // 10, 1)),
    }
    if before is not None:
        for way in ("events", "batches"):
            name = f"handler of {way} before"
            found[f"{way} before"] = Contender(name, way, tree=before.resolve(), entries=entries)
    return found


async def compare(server: RedisServer, of: Mapping[str, Contender], rounds: int) -> list[Figure]:
    for _ in range(rounds):
        for one in of.values():
            await asyncio.to_thread(one.take_turn, server.url)
    for one in of.values():
        print(f"{one.name:30} {one.cpu_us:8.1f} µs of CPU {one.clock_us:8.1f} µs on the clock")
    left = [
        await pending(server.url, group)
        for way in ("events", "batches")
        for group in of[way].groups
    ]
    if any(left):
        raise SystemExit(f"{sum(left)} entries are pending")
    events, batches, plain = of["events"], of["batches"], of["plain"]
    figures = [
        ratio(
            "events a second to a handler of events, beside FastStream",
            events.per_s,
            of["faststream"].per_s,
            FASTSTREAM_BAR,
        ),
        ratio(
            "events a second to a handler of batches, beside a plain loop",
            batches.per_s,
            plain.per_s,
            PLAIN_BAR,
        ),
        ratio(
            "events a CPU second to a handler of batches, beside a plain loop",
            batches.per_cpu_s,
            plain.per_cpu_s,
        ),
    ]
    for way, bar in (("events", BEFORE_BAR), ("batches", None)):
        if earlier := of.get(f"{way} before"):
            name = f"events a CPU second to a handler of {way}, beside before"
            figures.append(ratio(name, of[way].per_cpu_s, earlier.per_cpu_s, bar))
    return figures


def main() -> int:
    parser = arguments(__doc__, is_compared=True)
    parser.add_argument("--entries", type=int, default=100_000, help="that each reads in a round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    recorder = Recorder("consume", options.json)
    figures = uvloop.run(measured(options.entries, options.rounds, options.before))
    return recorder.concluded(figures)


if __name__ == "__main__":
    sys.exit(main())
