"""`make bench-consume`: the runtime against FastStream and against a plain loop, in one run.

Each reads the same 100,000 entries in a process of its own, in alternating rounds; the figures are
the medians of what each took of the processor, and on the clock. With `BEFORE=DIR`, the runtime of
another checkout takes part. Exit code 1 if a bar is missed.
"""

import asyncio
import logging
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Final

import structlog
import uvloop
from msgspec import Struct

from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.benchmarks import consume_contenders
from tests.benchmarks.consume_contenders import KEY
from tests.benchmarks.end_to_end import waits_s
from tests.integration.runtime.running import comment_event, publish

ENTRIES: Final = int(os.environ.get("BENCH_ENTRIES", "100000"))
ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
BEFORE: Final = [Path(one).resolve() for one in [os.environ.get("BEFORE")] if one]
HERE: Final = Path(__file__).parents[2]
SCRIPT: Final = consume_contenders.__file__
_groups = count(1)


class Contender:
    """One way to read, on the packages of a checkout, and what its rounds have cost."""

    def __init__(self, name: str, way: str, *, tree: Path = HERE, entries: int = ENTRIES) -> None:
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
    def cpu_us(self) -> float:
        """The processor's microseconds for one event."""
        return statistics.median(self._cpu_us)

    @property
    def clock_us(self) -> float:
        """The clock's microseconds for one event."""
        return statistics.median(self._clock_us)


class Bar(Struct, frozen=True):
    """A ratio, and what it has to be at least."""

    words: str
    ratio: float
    least: float


async def pending(url: str, group: str) -> int:
    client = connections.control(url)
    count: int = (await client.xpending(KEY, group))["pending"]
    await client.aclose()
    return count


async def main() -> int:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory))
        server.start()
        try:
            is_fast = await compare(server)
            await empty(server)
            waits = await waits_s(server, Path(directory))
        finally:
            server.stop()
    p50, p99 = (1000 * waits[int(share * (len(waits) - 1))] for share in (0.5, 0.99))
    print(f"from 200 to the handler's start at 1,000/s, {len(waits)} events: p50 {p50:.1f} ms")
    print("ok  " if p99 < 50 else "MISS", f"p99 {p99:.1f} ms (bar 50)")
    return 0 if is_fast and p99 < 50 else 1


async def empty(server: RedisServer) -> None:
    async with connections.control(server.url, timeout_s=10) as client:
        await client.flushall()


async def compare(server: RedisServer) -> bool:
    client = connections.control(server.url, timeout_s=30)
    for first in range(0, ENTRIES, 1000):
        await publish(client, KEY, [comment_event((first + n) % 5000 + 1) for n in range(1000)])
    await client.aclose()
    plain = Contender("plain loop", "plain")
    events = Contender("runtime, handler of events", "events")
    batches = Contender("runtime, handler of batches", "batches")
    faststream = Contender("FastStream", "faststream", entries=max(ENTRIES // 10, 1))
    contenders = [plain, events, batches, faststream]
    before = [Contender("events, before", "events", tree=tree) for tree in BEFORE]
    contenders += before
    contenders += [Contender("batches, before", "batches", tree=tree) for tree in BEFORE]
    for _ in range(ROUNDS):
        for contender in contenders:
            await asyncio.to_thread(contender.take_turn, server.url)
    for one in contenders:
        print(f"{one.name:30} {one.cpu_us:8.1f} µs of CPU {one.clock_us:8.1f} µs on the clock")
    bars = [
        Bar(
            "events a second, as many times FastStream's", faststream.clock_us / events.clock_us, 8
        ),
        Bar("batches a second, of the plain loop's", plain.clock_us / batches.clock_us, 0.9),
    ]
    bars += [
        Bar("events per CPU second, of those before", one.cpu_us / events.cpu_us, 1.25)
        for one in before
    ]
    for bar in bars:
        verdict = "ok  " if bar.ratio >= bar.least else "MISS"
        print(f"{verdict} {bar.words} {bar.ratio:.2f} (bar {bar.least})")
    print(f"     batches per CPU second, of the plain loop's {plain.cpu_us / batches.cpu_us:.2f}")
    left = [await pending(server.url, group) for one in (events, batches) for group in one.groups]
    print(f"pending afterwards: {sum(left)}; {server.binary.name}")
    return all(bar.ratio >= bar.least for bar in bars) and not any(left)


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
