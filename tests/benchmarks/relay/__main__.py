"""What pushing an event costs beside a bare aiohttp client, and what endpoints that hang delay.

The real process, a real server, and a sink in a process of its own, in alternating rounds of one
run. Bars: at most twice the processor time of a client that posts the same bodies and does nothing
else; and with 200 endpoints, of which 20 hang, the 99th percentile of the time from the stream to
the others at most one and a half times of what it is with those 180 alone.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvloop
from msgspec import Struct
from redis.asyncio import Redis

from consumers.testing import comment_event
from gateway.contract import Comment, encode_event
from gateway.local.redis_server import RedisServer, find_server, free_port
from gateway.redis_access import connections
from tests.benchmarks.figure import Bar, Figure, Side, ratio
from tests.benchmarks.footprint.process_memory import pss_mb
from tests.benchmarks.load import cpu_seconds
from tests.benchmarks.recorded_run import Recorder, arguments
from tests.benchmarks.relay.sink import SinkProcess
from tests.integration.relay.relaying import EVENTS, are_there, endpoint
from tests.integration.relay.relaying import surroundings as settings_of
from tests.support.connections import is_listening
from tests.support.eventually import eventually
from tests.support.program import ROOT, Program, surroundings
from tests.support.starting import finished

AT_ONCE: Final = 8
ENDPOINTS: Final = 200
HANGING: Final = 20
BAR_CPU: Final = Bar(2.0)
BAR_P99: Final = Bar(1.5)
_TEXT: Final = "Discount of 19% agreed with their boss, who wants the offer by Friday. " * 4
_MOST_S: Final = 300


class Work(Struct, frozen=True):
    """What one round of deliveries took."""

    per_s: float
    cpu_ms: float


class Lateness(Struct, frozen=True):
    """How long after its entry each delivery came, and what the process took meanwhile."""

    ms: Sequence[float]
    cores: float
    memory_mb: float

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return statistics.quantiles(self.ms, n=100)[98]


class Bench:
    """The places that all rounds share."""

    def __init__(self, directory: Path, redis: Redis, url: str, sink: SinkProcess) -> None:
        self._directory = directory
        self._redis = redis
        self._url = url
        self._sink = sink
        self._session: aiohttp.ClientSession | None = None

    async def pushed(self, bodies: Sequence[bytes]) -> Work:
        """Push a backlog to one endpoint."""
        await self._anew()
        one = endpoint("one", f"{self._sink.url}/one", concurrency=AT_ONCE)
        with self._relay(one) as relay:
            await eventually(lambda: are_there(self._redis, "one"), timeout_s=60)
            before = cpu_seconds(relay.pid)
            begun = time.perf_counter()
            await self._publish(bodies)
            await self._until(len(bodies))
            took_s = time.perf_counter() - begun
            cpu_s = cpu_seconds(relay.pid) - before
        return Work(len(bodies) / took_s, cpu_s * 1000 / len(bodies))

    async def posted(self, bodies: Sequence[bytes]) -> Work:
        """Post the same by the bare client."""
        file = self._directory / "bodies"
        file.write_bytes(b"\n".join(bodies))
        done = await finished(
            (
                sys.executable,
                *("-m", "tests.benchmarks.relay.bare_client"),
                *(str(file), f"{self._sink.url}/one", str(AT_ONCE)),
            ),
            environment=surroundings(),
            directory=ROOT,
            is_executed=True,
            timeout_s=_MOST_S,
        )
        took_s, cpu_s = map(float, done.stdout.split())
        return Work(len(bodies) / took_s, cpu_s * 1000 / len(bodies))

    async def late(self, *, hanging: int, rate: float, seconds: float) -> Lateness:
        """Push at a rate to the healthy endpoints, beside so many that hang."""
        await self._anew()
        names = [f"e{number}" for number in range(ENDPOINTS - HANGING + hanging)]
        healthy = names[: ENDPOINTS - HANGING]
        endpoints = [
            endpoint(name, f"{self._sink.url}/{name if name in healthy else 'hang'}", timeout_s=5)
            for name in names
        ]
        # Those that hang stand among the others.
        endpoints.sort(key=lambda one: hash(one["name"]))
        published: dict[str, int] = {}
        with self._relay(*endpoints) as relay:
            await eventually(lambda: are_there(self._redis, *names), timeout_s=120)
            await asyncio.sleep(3)  # the start is not what is measured
            before, begun = cpu_seconds(relay.pid), time.perf_counter()
            count = round(rate * seconds)
            for number in range(count):
                await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
                event = _event(number)
                published[event.id] = time.monotonic_ns()
                await self._redis.xadd(EVENTS, {"event": encode_event(event)})
            await self._until(count * len(healthy))
            cores = (cpu_seconds(relay.pid) - before) / (time.perf_counter() - begun)
            memory_mb = pss_mb(relay.pid)
        lines = (await self._asked("deliveries")).splitlines()
        moments = [line.split()[1:] for line in lines]
        ms = [(int(moment) - published[event_id]) / 1e6 for event_id, moment in moments]
        return Lateness(ms, cores, memory_mb)

    @contextmanager
    def _relay(self, *endpoints: Mapping[str, Any]) -> Iterator[Program]:
        """The process, executed and not forked."""
        with Program(
            (sys.executable, "-m", "consumers", "run", "relay"),
            log_file=self._directory / "relay.log",
            environment={**settings_of(*endpoints), "GATEWAY_REDIS_URL": self._url},
            is_executed=True,
        ) as process:
            process.launch()
            yield process
            process.stop_blocking(timeout_s=60)

    async def _anew(self) -> None:
        await self._redis.flushall()
        await self._asked("clear")

    async def _publish(self, bodies: Sequence[bytes]) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for body in bodies:
                pipeline.xadd(EVENTS, {"event": body})
            await pipeline.execute()

    async def _until(self, count: int) -> None:
        async def are_all_there() -> bool:
            return int(await self._asked("count")) >= count

        await eventually(are_all_there, timeout_s=_MOST_S)

    async def _asked(self, what: str) -> str:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self._sink.url}/{what}") as answer,
        ):
            return await answer.text()


def _event(number: int) -> Any:
    comment = Comment(state="present", text=_TEXT, text_plain=_TEXT, author_id=7)
    return comment_event(number % 500 + 1, comment=comment)


def _middle(some: Sequence[Work], name: str) -> float:
    return float(statistics.median(getattr(one, name) for one in some))


async def costs(bench: Bench, deliveries: int, rounds: int) -> list[Figure]:
    """Ours and the bare client's, in turns."""
    bodies = [encode_event(_event(number)) for number in range(deliveries)]
    ours, bare = [], []
    for _ in range(rounds):
        ours.append(await bench.pushed(bodies))
        bare.append(await bench.posted(bodies))
    figures = []
    for words, name, unit, bar in (
        ("CPU time of a delivery", "cpu_ms", "ms", BAR_CPU),
        ("deliveries a second", "per_s", "/s", None),
    ):
        sides = Side("relay", _middle(ours, name), unit), Side("aiohttp", _middle(bare, name), unit)
        figures.append(ratio(words, *sides, bar))
    return figures


async def delays(bench: Bench, rate: float, seconds: float, rounds: int) -> list[Figure]:
    """With the hanging ones and without, in turns."""
    found: dict[int, list[Lateness]] = {HANGING: [], 0: []}
    for _ in range(rounds):
        for hanging, some in found.items():
            it = await bench.late(hanging=hanging, rate=rate, seconds=seconds)
            some.append(it)
            print(
                f"{hanging} hang: {statistics.median(it.ms):.1f} ms from the stream to the sink, "
                f"p99 {it.p99_ms:.1f}, {it.cores:.2f} cores, {it.memory_mb:.0f} MB"
            )
    with_them, without = (
        Side(name, statistics.median(one.p99_ms for one in found[hanging]), "ms")
        for name, hanging in ((f"{HANGING} hang", HANGING), ("none hangs", 0))
    )
    return [ratio("p99 of the others", with_them, without, BAR_P99)]


async def measured(directory: Path, url: str, options: Any) -> list[Figure]:
    """All of it."""
    with SinkProcess(directory, free_port()) as sink:
        sink.launch()
        port = int(sink.url.rpartition(":")[2])
        await eventually(lambda: is_listening(port), timeout_s=30)
        async with connections.control(url, timeout_s=30) as redis:
            bench = Bench(directory, redis, url, sink)
            figures = []
            if "costs" in options.parts:
                figures += await costs(bench, options.deliveries, options.rounds)
            if "delays" in options.parts:
                figures += await delays(bench, options.rate, options.seconds, options.rounds)
    return figures


def main() -> int:
    """Run once; exit code 1 above a bar."""
    parser = arguments(__doc__)
    parser.add_argument("--deliveries", type=int, default=6000, help="of each round")
    parser.add_argument("--rate", type=float, default=2.0, help="events a second for each endpoint")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each round of delays")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--parts", nargs="+", default=["costs", "delays"])
    options = parser.parse_args()
    recorder = Recorder("relay", options.json)
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory) / "redis")
        server.start()
        try:
            figures = uvloop.run(measured(Path(directory), server.url, options))
        finally:
            server.stop()
    return recorder.concluded(figures)


if __name__ == "__main__":
    sys.exit(main())
