"""Measures what a steady stream costs the warehouse by its partitions: of `make bench-growth`.

A warehouse with a file of DuckDB for each number of partitions, all at once beside one another and
on one Redis, so that the same machine is behind every figure. Each gets 50 events a second. CPU
time is that of the consumer and of its loading process, from the first load on.
"""

import asyncio
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any, Final

import psutil
from msgspec import Struct
from redis.asyncio import Redis

from consumers.testing import comment_event
from gateway.contract import encode_event
from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.benchmarks.growth.curve import LINEAR, Curve

__all__ = ["curves"]

_NUMBERS: Final = (1, 4, 16, 64)
_PER_SECOND: Final = 50
_STARTED_WITHIN_S: Final = 120.0
_MEASURED_S: Final = 40.0
# What comes in the five seconds of a batch, and as much again: it is loaded meanwhile.
_BEHIND_BAR: Final = 2 * 5 * _PER_SECOND
_MOST_EXPONENT: Final = math.log(1.3) / math.log(max(_NUMBERS))


class _SteadyCost(Struct, frozen=True):
    """What one warehouse needed: of CPU for an event, of loads, and how far it is behind."""

    cpu_ms: float
    loads: int
    behind: int


def curves(directory: Path) -> list[Curve]:
    """The costs of an event, the loads, and what is not loaded at the end."""
    server = RedisServer(find_server(), directory / "redis")
    server.start()
    try:
        costs = asyncio.run(_steady_costs(server, directory))
    finally:
        server.stop()
    parts: list[tuple[str, str, Callable[[_SteadyCost], float], float | None]] = [
        ("CPU time", "ms of CPU", lambda one: one.cpu_ms, None),
        ("loads", "loads", lambda one: one.loads, None),
        ("behind at the end", "events", lambda one: max(1, one.behind), _BEHIND_BAR),
    ]
    return [
        Curve(
            name=f"warehouse at 50 events a second: {name}",
            of="partitions",
            unit=unit,
            costs={number: figure(cost) for number, cost in costs.items()},
            # What is behind depends on the moment; that it does not grow is for the bar to say.
            most_exponent=_MOST_EXPONENT if bar is None else LINEAR,
            bar=bar,
        )
        for name, unit, figure, bar in parts
    ]


class _Warehouse:
    """A consumer as a process, and its log."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path, partitions: int) -> None:
        self.process = process
        self.partitions = partitions
        self.published = 0
        self._log = log

    @property
    def prefix(self) -> str:
        return f"b{self.partitions}"

    def loads(self) -> list[dict[str, Any]]:
        whole, _, _ = self._log.read_text().rpartition("\n")
        lines = [json.loads(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "batch loaded"]

    def cpu_s(self) -> float:
        own = psutil.Process(self.process.pid)
        spent_s = float(sum(own.cpu_times()[:4]))  # with those of children that have ended
        for child in own.children():
            with suppress(psutil.NoSuchProcess):
                spent_s += float(sum(child.cpu_times()[:2]))
        return spent_s


async def _steady_costs(server: RedisServer, directory: Path) -> dict[int, _SteadyCost]:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connections.control(server.url, timeout_s=30))
        them = [await _started(stack, server.url, directory, number) for number in _NUMBERS]
        async with asyncio.timeout(_STARTED_WITHIN_S):
            while not all(len(one.loads()) > 1 for one in them):
                await _publish(redis, them, 1.0)
        before = [(one.cpu_s(), len(one.loads()), one.published) for one in them]
        await _publish(redis, them, _MEASURED_S)
        return {
            one.partitions: _SteadyCost(
                1000 * (one.cpu_s() - cpu_s) / (one.published - published),
                len(one.loads()) - loads,
                one.published - sum(line["events"] for line in one.loads()),
            )
            for one, (cpu_s, loads, published) in zip(them, before, strict=True)
        }


async def _started(stack: AsyncExitStack, url: str, directory: Path, partitions: int) -> _Warehouse:
    own = directory / str(partitions)
    own.mkdir(parents=True)
    log = own / "log"
    environment = os.environ | {
        "GATEWAY_REDIS_URL": url,
        "GATEWAY_REDIS_PREFIX": f"b{partitions}",
        "GATEWAY_REDIS_PARTITIONS": str(partitions),
        "GATEWAY_WAREHOUSE_DESTINATION": f"duckdb:///{own}/warehouse.duckdb",
        "GATEWAY_WAREHOUSE_WORK_DIR": str(own / "work"),
        "GATEWAY_WAREHOUSE_STREAM": "events",
        "GATEWAY_CONSUMERS_PORT": "0",
        "GATEWAY_LOG_FORMAT": "json",
    }
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "consumers", "run", "warehouse"), env=environment, stderr=errors
        )
    stack.push_async_callback(_stopped, process)
    return _Warehouse(process, log, partitions)


async def _stopped(process: asyncio.subprocess.Process) -> None:
    process.terminate()
    await process.wait()


async def _publish(redis: Redis, them: Sequence[_Warehouse], seconds: float) -> None:
    """Publish to each at its pace, whoever is behind."""
    began = time.perf_counter()
    for number in range(int(seconds * _PER_SECOND)):
        await asyncio.sleep(max(0.0, began + number / _PER_SECOND - time.perf_counter()))
        event: Any = {"event": encode_event(comment_event(1 + number % 1000))}
        async with redis.pipeline(transaction=False) as pipeline:
            for one in them:
                partition = (number * 7919) % one.partitions
                pipeline.xadd(f"{one.prefix}:events:{{{partition}}}", event)
                one.published += 1
            await pipeline.execute()
