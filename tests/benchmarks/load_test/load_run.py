"""Runs one load: up to the knee, below it, and then the account of every event."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final, Self

from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.balance.reading import read_balance
from gateway.balance.sheet import Balance
from tests.benchmarks.load_test.accounting import Evidence, LoadFault, Reading, faults_of
from tests.benchmarks.load_test.evidence_reading import (
    added_to,
    ends_of,
    entries_of_load,
    is_through,
    last_entries,
    progress_of,
    until_through,
)
from tests.benchmarks.load_test.generator import Generator, Order, Plan
from tests.benchmarks.load_test.ramp import Next, Ramp, RampPlan
from tests.benchmarks.load_test.scheduled_delivery import ScheduledDelivery
from tests.benchmarks.load_test.steps import Limits, Step, limit_passed
from tests.benchmarks.load_test.target import LoadRefused, Target
from tests.benchmarks.load_test.verifying_service import GROUP
from tests.benchmarks.load_test.watching import SPOOL, Watcher
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually

__all__ = ["LoadRun"]

_WORKED_OFF_S: Final = 300.0
_READ_S: Final = 30.0
_ENRICHER: Final = "enricher"
_SERVICE: Final = "tests.benchmarks.load_test.verifying_service:app"

Say = Callable[[str], None]


class LoadRun:
    """One load of a target that is open. Used as an asynchronous context.

    What it needs for itself lies in `directory`. `say` is told how it goes, in lines.
    """

    def __init__(
        self, target: Target, redis: Redis, directory: Path, *, seed: int, say: Say
    ) -> None:
        self.watcher = Watcher(redis, target.redis_url, target.streams)
        self.deliveries: list[ScheduledDelivery] = []
        self.steps: list[Step] = []
        self._target, self._redis, self._directory = target, redis, directory
        self._say = say
        plan = Plan(
            url=target.url,
            portal=target.portal,
            file=str(directory / "deliveries.msgpack"),
            seed=seed,
        )
        self._generator = Generator(plan)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._before = await self._balance()
        self._began = await ends_of(self._redis, self._target.streams)
        self._added = await added_to(self._redis, self._target.streams, "events")
        await self.watcher.find_processes()
        await self._stack.enter_async_context(self._generator)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self._stack.aclose()

    async def ramp(self, plan: RampPlan, limits: Limits) -> Ramp:
        """Load, step by step; afterwards nothing more is sent."""
        ramp = Ramp(plan)
        while (wanted := ramp.next()) is not None:
            if wanted.phase == "hold" and not await self.until_worked_off():
                self._say("  the backlog is not worked off")
                break
            step = await self.step(wanted, limits)
            ramp.concluded(step.passed, sent=step.answers.sent)
        await self.collect()
        return ramp

    async def collect(self) -> None:
        """End the load: what was sent and answered is in `deliveries`, nothing more is sent."""
        self.deliveries = await self._generator.deliveries()

    async def step(self, wanted: Next, limits: Limits) -> Step:
        """One step; what it did is told."""
        before, began = await self.watcher.use(), time.monotonic()
        answers = await self._generator.step(Order(wanted.rate, wanted.seconds))
        took_s = time.monotonic() - began
        used = (await self.watcher.use()).since(before)
        backlog = await self.watcher.backlog()
        step = Step(
            answers=answers,
            backlog=backlog,
            cores={name: cpu_s / took_s for name, cpu_s in used.cpu_s.items()},
            redis=used.redis,
            phase=wanted.phase,
            passed=limit_passed(answers, backlog, limits),
        )
        self.steps.append(step)
        longest = max(backlog, key=lambda name: backlog[name], default="-")
        self._say(
            f"  {wanted.phase} {wanted.rate:7,.0f}/s  200: {answers.accepted}/{answers.sent}  "
            f"p50 {answers.p50_ms:.1f} p99 {answers.p99_ms:.1f} ms  "
            f"generator {answers.generator_cores:.2f} cores, {answers.lag_p99_ms:.1f} ms late  "
            f"backlog {backlog.get(longest, 0)} ({longest}) {step.passed}"
        )
        return step

    async def until_worked_off(self, timeout_s: float = _WORKED_OFF_S) -> bool:
        """Wait until spools are empty and all groups through; False if that takes too long."""
        accepted = sum(step.answers.accepted for step in self.steps)
        has_spooled = any(step.answers.spooled for step in self.steps)

        async def is_drained() -> bool:
            if has_spooled:  # receivers tell of their spools some seconds later
                added = await added_to(self._redis, self._target.streams, "events")
                if added - self._added < accepted:
                    return False
            return (await self.watcher.backlog())[SPOOL] == 0

        try:
            await eventually(is_drained, timeout_s=timeout_s)
        except AssertionError:
            return False
        return await until_through(self._redis, self._target.streams, timeout_s=timeout_s)

    async def verified(self, *, timeout_s: float = _WORKED_OFF_S) -> list[LoadFault]:
        """What is not accounted for, once everything has been worked off or that took too long.

        The verifying group reads all of it meanwhile.
        """
        streams, portal = self._target.streams, self._target.portal
        await self.until_worked_off(timeout_s)
        readings = await self._read_by_group(max(timeout_s, _READ_S))
        loaded = {
            key: await entries_of_load(self._redis, key, after, portal)
            for key, after in self._began.items()
        }
        has_enricher = any(one.group == _ENRICHER for one in self._before.groups)
        on = {
            stream: [[one.entry for one in loaded[key]] for key in streams.keys(stream)]
            for stream in ("events", "comments")
        }
        return faults_of(
            Evidence(
                deliveries=self.deliveries,
                events=on["events"],
                comments=on["comments"] if has_enricher else None,
                progress=await progress_of(self._redis, streams, loaded),
                readings=readings,
                before=self._before,
                after=await self._balance(),
            )
        )

    async def _balance(self) -> Balance:
        """The balance without the verifying group, which comes and goes."""
        found = await read_balance(self._redis, self._target.streams)
        return replace(found, groups=tuple(one for one in found.groups if one.group != GROUP))

    async def _read_by_group(self, timeout_s: float) -> list[Reading]:
        """Have the verifying group read up to here, and stop it."""
        file = self._directory / "readings"
        streams = self._target.streams
        environment = {
            "GATEWAY_REDIS_URL": self._target.redis_url,
            "GATEWAY_REDIS_PREFIX": streams.prefix,
            "GATEWAY_REDIS_PARTITIONS": str(streams.partitions),
            "LOAD_READINGS": str(file),
        }
        ends = await last_entries(self._redis, streams, "events")

        async def has_read() -> bool:
            through = [
                await is_through(self._redis, key, end, only=GROUP) for key, end in ends.items()
            ]
            return all(through) or not reader.is_running

        with ConsumerProcess(_SERVICE, self._directory, environment, is_executed=True) as reader:
            reader.launch()
            with suppress(AssertionError):  # what it has not read by then is found to be missing
                await eventually(has_read, timeout_s=timeout_s)
            if not reader.is_running:
                raise LoadRefused(f"the verifying consumer ended: {reader.log[-1000:]}")
            await reader.stop()
        lines = await asyncio.to_thread(file.read_text)
        return [_reading(line) for line in lines.splitlines()]


def _reading(line: str) -> Reading:
    event_id, subject, partition, entry = line.split()
    return Reading(event_id, subject, int(partition), entry)
