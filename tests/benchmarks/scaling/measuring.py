"""Measures installations of several shapes at several rates, in turns, one after the other."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.redis_access import connections
from tests.benchmarks.footprint.checkouts import HERE
from tests.benchmarks.footprint.installation import installed
from tests.benchmarks.load_test.evidence_reading import until_through
from tests.benchmarks.load_test.generator import Generator, Order, Plan
from tests.benchmarks.load_test.load_portal import LOAD_PORTAL
from tests.benchmarks.load_test.watching import Watcher
from tests.benchmarks.scaling.measurement import Idle, Measured, Shape
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually

__all__ = ["RATES", "SHAPES", "measured"]

SHAPES: Final = tuple(
    Shape(partitions, workers) for partitions in (1, 2, 4) for workers in (1, 2, 4)
)
RATES: Final = (100.0, 800.0, 3_000.0)
_SECONDS: Final = 6.0
_WARM_S: Final = 2.0
_IDLE_S: Final = 8.0
_DRAIN_S: Final = 120.0
_SHARED: Final = ("audit", "enricher", "notifier")
"""Of which there are several processes; one process alone may write a DuckDB file."""

Say = Callable[[str], None]


def measured(
    shapes: Sequence[Shape], rates: Sequence[float], *, say: Say
) -> Iterator[Idle | Measured]:
    """One round: each shape at each rate, after a load that warms up and is not counted."""
    for shape in shapes:
        with TemporaryDirectory(prefix="bench-scaling-") as name:
            for one in asyncio.run(_of_shape(shape, rates, Path(name))):
                if isinstance(one, Measured):
                    spent = ", ".join(f"{key} {us:.0f}" for key, us in sorted(one.cpu_us.items()))
                    say(f"{shape} at {one.rate:,.0f}/s: {spent} µs; p99 {one.p99_ms:.1f} ms")
                yield one


async def _of_shape(shape: Shape, rates: Sequence[float], directory: Path) -> list[Idle | Measured]:
    settings = {
        "GATEWAY_REDIS_PARTITIONS": str(shape.partitions),
        "GATEWAY_HTTP_WORKERS": str(shape.workers),
    }
    own = directory / "installation"
    own.mkdir()
    async with installed(HERE, own, portal=LOAD_PORTAL, settings=settings) as installation:
        await installation.start()
        url = f"http://127.0.0.1:{installation.port}/bitrix24/events"
        plan = Plan(url=url, portal=LOAD_PORTAL, file=str(directory / "sent"), seed=1)
        with ExitStack() as more:
            for name in _SHARED * (shape.workers - 1):
                process = more.enter_context(ConsumerProcess(name, own, {}, is_executed=True))
                process.launch()
            async with (
                connections.control(installation.redis_url, timeout_s=30) as redis,
                Generator(plan) as generator,
            ):
                bench = _Bench(shape, redis, installation.redis_url, generator)
                await bench.until_all_are_there()
                await bench.loaded(rates[0], _WARM_S, {})
                idle = await bench.idle()
                rounds = [await bench.loaded(rate, _SECONDS, idle.cores) for rate in rates]
                return [idle, *rounds]


class _Bench:
    """An installation of one shape, and the generator that loads it."""

    def __init__(self, shape: Shape, redis: Redis, url: str, generator: Generator) -> None:
        self._shape, self._redis, self._generator = shape, redis, generator
        self._streams = Streams(partitions=shape.partitions)
        self._watcher = Watcher(redis, url, self._streams)

    async def until_all_are_there(self) -> None:
        """Wait until each process says that it is."""

        async def are_there() -> bool:
            await self._watcher.find_processes()
            found = self._watcher.processes
            return all(found.get(name, 0) >= self._shape.workers for name in ("receiver", *_SHARED))

        await eventually(are_there, timeout_s=90)

    async def idle(self) -> Idle:
        """What all take that have nothing to do."""
        before, began = await self._watcher.use(), time.monotonic()
        await asyncio.sleep(_IDLE_S)
        used = (await self._watcher.use()).since(before)
        took_s = time.monotonic() - began
        cores = {name: round(cpu_s / took_s, 5) for name, cpu_s in used.cpu_s.items()}
        return Idle(shape=self._shape, cores=cores)

    async def loaded(self, rate: float, seconds: float, idle: dict[str, float]) -> Measured:
        """A load until everything is worked off."""
        before, began = await self._watcher.use(), time.monotonic()
        answers = await self._generator.step(Order(rate, seconds))
        if not await until_through(self._redis, self._streams, timeout_s=_DRAIN_S):
            raise SystemExit(f"{self._shape} at {rate:g}/s is not worked off in {_DRAIN_S:g} s")
        used = (await self._watcher.use()).since(before)
        took_s, events = time.monotonic() - began, answers.accepted
        if events < answers.sent:
            raise SystemExit(f"{self._shape} at {rate:g}/s: {answers.statuses}")
        assert used.redis is not None
        spent = {name: cpu_s - idle.get(name, 0) * took_s for name, cpu_s in used.cpu_s.items()}
        spent["generator"] = answers.generator_cores * seconds
        return Measured(
            shape=self._shape,
            rate=rate,
            events=events,
            p50_ms=round(answers.p50_ms, 2),
            p99_ms=round(answers.p99_ms, 2),
            cpu_us={name: round(1e6 * cpu_s / events, 1) for name, cpu_s in spent.items()},
            redis_memory=round(used.redis.memory_bytes / events, 1),
            redis_in=round(used.redis.in_bytes / events, 1),
            redis_out=round(used.redis.out_bytes / events, 1),
            redis_commands=round(used.redis.commands / events, 2),
        )
