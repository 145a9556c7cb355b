"""Runs a load as a process of its own, so that its costs are nobody else's.

It reads a `Plan` as a line of JSON on standard input, then an `Order` for each step, and answers
each with a line of `Answers`. At the end of its input it writes all deliveries to the plan's file.
"""

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import Self

import msgspec
import uvloop
from msgspec import Struct

from gateway.errors import OperatorError
from gateway.sandbox.portal import PortalIdentity
from tests.benchmarks.load_test.open_loop import OpenLoop, arrivals
from tests.benchmarks.load_test.scheduled_delivery import ScheduledDelivery
from tests.benchmarks.load_test.steps import Answers, answers_of

__all__ = ["Generator", "GeneratorEnded", "Order", "Plan", "written_deliveries"]


class Plan(Struct, frozen=True, kw_only=True):
    """Whom to load, as whom, and where the deliveries are written in the end."""

    url: str
    portal: PortalIdentity
    file: str
    seed: int
    connections: int = 128


class Order(Struct, frozen=True):
    """One step: events a second, for so many seconds."""

    rate: float
    seconds: float


class GeneratorEnded(OperatorError):
    """The process that makes the load is no more."""


class Generator:
    """The process, from the side of whoever starts it. Used as an asynchronous context."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", __name__),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=Path(__file__).parents[3],
            start_new_session=True,  # Ctrl-C is for whoever ends it
        )
        self._write(self._plan)
        return self

    async def __aexit__(self, *_error: object) -> None:
        process = self._running
        if process.returncode is None:
            process.kill()
        await process.wait()

    async def step(self, order: Order) -> Answers:
        """One step. Raises GeneratorEnded, of which its own words on standard error say why."""
        self._write(order)
        assert self._running.stdout is not None
        line = await self._running.stdout.readline()
        if not line:
            raise GeneratorEnded("the generator has ended")
        return msgspec.json.decode(line, type=Answers)

    async def deliveries(self) -> list[ScheduledDelivery]:
        """End it; all that it sent, in the order in which it was sent."""
        assert self._running.stdin is not None
        self._running.stdin.close()
        await self._running.wait()
        return written_deliveries(Path(self._plan.file))

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "it is used within `async with`"
        return self._process

    def _write(self, what: Struct) -> None:
        assert self._running.stdin is not None
        self._running.stdin.write(msgspec.json.encode(what) + b"\n")


def written_deliveries(file: Path) -> list[ScheduledDelivery]:
    """The deliveries of a file that were sent, in this order."""
    found = msgspec.msgpack.decode(file.read_bytes(), type=list[ScheduledDelivery])
    return sorted((one for one in found if one.sent_at), key=lambda one: one.sent_at)


async def _run() -> None:
    lines = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    plan = msgspec.json.decode(await lines.readline(), type=Plan)
    chance = random.Random(plan.seed)
    load = OpenLoop(plan.url, plan.portal, connections=plan.connections)
    await load.open()
    while line := await lines.readline():
        order = msgspec.json.decode(line, type=Order)
        first, cpu_s = len(load.deliveries), time.process_time()
        load.lags_s.clear()
        await load.send(arrivals(order.rate, order.seconds, chance))
        answers = answers_of(
            order.rate,
            order.seconds,
            load.deliveries[first:],
            lags_s=load.lags_s,
            cpu_s=time.process_time() - cpu_s,
        )
        sys.stdout.buffer.write(msgspec.json.encode(answers) + b"\n")
        sys.stdout.buffer.flush()
    await load.close()
    Path(plan.file).write_bytes(msgspec.msgpack.encode(load.deliveries))  # noqa: ASYNC240 - the end


if __name__ == "__main__":
    uvloop.run(_run())
