"""`make soak MINUTES=n`: every kind of consumer under load while everything fails at random.

Two services, the enricher, the warehouse and the audit log share four partitions of a cluster of
two nodes; another service is never hurt, and notes down what the enricher wrote. Every few seconds
a process, a node, a slot, a table, a clock, a log or a comment is hurt in one of seventeen ways.
Retention trims the streams meanwhile, so that restarts of Redis do not get ever longer. The last
lines have the sums; exit code 1 if anything was lost, is there twice where that is promised not to
be, became a dead letter or is pending at the end, if a process ended by itself, if a probe was
untrue, or if the witness has grown.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import psutil
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import EventSubject, encode_event
from gateway.redis_access import connections
from gateway.retention.keeper import Retention
from gateway.settings import RetentionSettings
from tests.faults.soak.faults import Faults
from tests.faults.soak.tally import Tally, tally_of
from tests.faults.soak.truth import Truth
from tests.faults.soak.world import STREAMS, World, open_world
from tests.integration.runtime.running import comment_event, settled

_POOLED: Final = 2 * 4  # the pools of a process: for each partition, one to read and one to settle
_KEPT_S: Final = 120.0
_DRAIN_S: Final = 180.0


class Load:
    """Events, each sent until Redis says that it has it; `repeated` were sent more than once."""

    def __init__(self, world: World, per_second: float) -> None:
        self._world = world
        self._pause_s = 1 / per_second
        self.sent: list[str] = []
        self.repeated: set[str] = set()

    async def run(self, until: float) -> None:
        """Until that moment of the monotonic clock."""
        redis = connections.publisher(self._world.url, timeout_s=2)
        while time.monotonic() < until:
            comment_id = self._world.comment_ids[len(self.sent) % len(self._world.comment_ids)]
            event = comment_event(comment_id)
            key = STREAMS.key(
                "events", STREAMS.partition_of("portal", EventSubject.of_comment(comment_id))
            )
            while True:
                try:
                    await redis.xadd(key, {"event": encode_event(event)})
                except (*connections.AWAY, ResponseError):
                    self.repeated.add(event.id)
                    await asyncio.sleep(0.1)
                else:
                    break
            self.sent.append(event.id)
            await asyncio.sleep(self._pause_s)
        await redis.aclose()


async def is_drained(world: World, redis: Redis) -> bool:
    """Whether every group has come to the end, within the time for that."""
    deadline = time.monotonic() + _DRAIN_S
    places = [
        (key, group)
        for group, (stream, _workers) in world.groups().items()
        for key in STREAMS.keys(stream)
    ]
    while time.monotonic() < deadline:
        with suppress(*connections.AWAY, ResponseError):
            if all([await settled(redis, key, group) for key, group in places]):
                return True
        await asyncio.sleep(0.5)
    return False


def figures(process: psutil.Process) -> tuple[float, int]:
    """Memory in MiB, and open descriptors."""
    return process.memory_info().rss / 2**20, process.num_fds()


async def soak(directory: Path, *, minutes: float, seed: int, per_second: float) -> int:
    """The exit code; `directory` holds all files and logs."""
    print(f"seed {seed}", flush=True)
    async with open_world(directory) as world:
        return await _soaked(world, minutes, seed, per_second)


async def _soaked(world: World, minutes: float, seed: int, per_second: float) -> int:
    load, truth = Load(world, per_second), Truth(world)
    faults = Faults(world, random.Random(seed))
    is_over = asyncio.Event()
    until = time.monotonic() + 60 * minutes
    async with asyncio.TaskGroup() as tasks:
        loading = tasks.create_task(load.run(until))
        watching = tasks.create_task(truth.watch(is_over))
        await asyncio.sleep(min(30.0, 15 * minutes))
        before = figures(psutil.Process(world.witness.pid))
        operator = connections.control(world.url)
        retention = Retention(operator, STREAMS, RetentionSettings(days=_KEPT_S / 86_400))
        retention.start()
        while until - time.monotonic() > 15 and not faults.broke_off:
            await asyncio.sleep(faults.pause_s())
            await faults.one()
        if faults.broke_off:
            loading.cancel()
        await asyncio.wait((loading,))
        is_at_end = await is_drained(world, operator)
        is_over.set()
        await watching
    is_well = await truth.all_well()
    await retention.close()
    after = figures(psutil.Process(world.witness.pid))
    tally = await tally_of(world, operator, load.sent, load.repeated)
    await operator.aclose()
    _print(load, faults, truth, tally)
    print(f"at the end: drained {is_at_end}, all probes green {is_well}")
    print(
        f"witness: memory {before[0]:.1f} -> {after[0]:.1f} MiB, "
        f"descriptors {before[1]} -> {after[1]}"
    )
    # A pool keeps as many connections as were ever in use at once; a leak would be one a fault.
    is_flat = after[0] < before[0] * 1.5 + 10 and after[1] <= before[1] + _POOLED
    is_good = is_at_end and is_well and is_flat and not truth.lies and _is_clean(faults, tally)
    return 0 if is_good else 1


def _is_clean(faults: Faults, tally: Tally) -> bool:
    doubled = {name: count for name, count in tally.doubled.items() if name in _ONCE}
    return not (
        sum(tally.lost.values())
        or sum(doubled.values())
        or tally.dead_letters
        or tally.audit_faults
        or faults.ended_count
        or faults.bad_stops
        or faults.broke_off
    )


_ONCE: Final = {"comments", "audit", "warehouse"}
"""Where nothing may be twice: the effects of the service may come again after a kill."""


def _print(load: Load, faults: Faults, truth: Truth, tally: Tally) -> None:
    if faults.broke_off:
        print(f"broke off, for a fault could not be brought about:\n{faults.broke_off}")
    print(f"faults: {faults.counts.total()}: {dict(faults.counts)}")
    print(
        f"processes that ended by themselves: {faults.ended_count}; stops that failed: "
        f"{faults.bad_stops or 0}"
    )
    print(f"sent {len(load.sent)}, of these perhaps stored twice {len(load.repeated)}")
    print(f"lost: {tally.lost}")
    print(f"doubled: {tally.doubled}")
    print(
        f"dead letters of events {tally.dead_letters}; of {faults.hostile_count} hostile entries "
        f"{tally.undecodable}; audit faults {tally.audit_faults or 0}"
    )
    print(f"probes asked {truth.asked_count} times, untrue {len(truth.lies)}: {truth.lies[:20]}")


def main() -> int:
    """Read the arguments, and run."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=60.0, help="events a second")
    parser.add_argument("--keep", type=Path, help="an empty directory for files and logs")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        if arguments.keep is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        else:
            directory = arguments.keep
            directory.mkdir(parents=True, exist_ok=True)
        return asyncio.run(
            soak(
                directory,
                minutes=arguments.minutes,
                seed=arguments.seed,
                per_second=arguments.rate,
            )
        )


if __name__ == "__main__":
    sys.exit(main())
