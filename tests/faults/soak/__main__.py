"""`make soak MINUTES=n`: every kind of consumer under load while everything fails at random.

Two receivers that share a spool take so many events a second; two processes of a service, the
enricher, the warehouse, the audit log, the notifier, the relay and the feed share four partitions;
one more consumer is never hurt. Every few seconds something is: on a cluster of two nodes
(`make soak`) a process, a node, a slot, a table, a clock, a log or a comment in one of seventeen
ways; on three primaries with three replicas (`make soak-cluster`, `ack = "replicated:1"`) a
primary, a replica, a slot or a process in one of eight. The last lines have the sums; exit code 1
if anything was lost, came out of its order, is there twice where no event's id tells it, became
a dead letter or is pending at the end, if a process ended by itself, if a probe was untrue, or if
the witness has grown.
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
from msgspec import structs
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.local.redis_server import ServerBinary
from gateway.redis_access import connections
from tests.faults.soak.faults import Faults
from tests.faults.soak.feed_reader import FeedReader
from tests.faults.soak.tally import Tally, tally_of
from tests.faults.soak.tap import Tap
from tests.faults.soak.truth import Truth
from tests.faults.soak.world import STREAMS, World, open_world
from tests.integration.runtime.running import settled
from tests.support.open_load import OpenLoad
from tests.support.server_matrix import HERE, SERVERS, server_named
from tests.support.spooled import until_drained

_POOLED: Final = 2 * 4  # the pools of a process: for each partition, one to read and one to settle
_DRAIN_S: Final = 180.0


async def is_drained(world: World, redis: Redis) -> bool:
    """Whether the spool and every group have come to the end, within the time for that."""
    deadline = time.monotonic() + _DRAIN_S
    try:
        await until_drained(world.spool_dir, timeout_s=_DRAIN_S)
    except AssertionError:
        return False
    places = [
        (key, group)
        for group, (stream, _workers) in world.groups().items()
        for key in STREAMS.keys(stream)
    ]
    while time.monotonic() < deadline:
        with suppress(*connections.AWAY, ResponseError):
            waiting = await redis.zcard("b24:notifier:{people/1}:due")
            if not waiting and all([await settled(redis, key, group) for key, group in places]):
                return True
        await asyncio.sleep(0.5)
    return False


def figures(process: psutil.Process) -> tuple[float, int]:
    """Memory in MiB, and open descriptors."""
    return process.memory_info().rss / 2**20, process.num_fds()


class Soak:
    """One run of it in a world: the load, the faults, and those who watch."""

    def __init__(
        self, world: World, reader: FeedReader, *, seed: int, minutes: float, rate: float
    ) -> None:
        self._world = world
        self._reader = reader
        self._minutes = minutes
        ports = [one.port for one in world.receivers]
        self._load = OpenLoad(ports, world.comment_ids, rate=rate)
        self._faults = Faults(world, random.Random(seed))
        self._truth = Truth(world)
        self._tap = Tap(world.url, STREAMS)

    async def run(self) -> int:
        """The exit code."""
        is_over = asyncio.Event()
        async with connections.control(self._world.url) as operator, asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(self._truth.watch(is_over))
            tapping = tasks.create_task(self._tap.watch(is_over))
            async with self._load:
                before = await self._hurt()
            is_at_end = await is_drained(self._world, operator)
            is_over.set()
            await watching
            await tapping
            is_well = await self._truth.all_well()
            after = figures(psutil.Process(self._world.witness.pid))
            deliveries = self._load.deliveries
            tally = await tally_of(self._world, operator, self._tap, self._reader, deliveries)
        self._print(tally)
        print(f"at the end: drained {is_at_end}, all probes green {is_well}")
        print(
            f"witness: memory {before[0]:.1f} -> {after[0]:.1f} MiB, "
            f"descriptors {before[1]} -> {after[1]}"
        )
        # A pool keeps as many connections as were ever in use at once; a leak would be one a fault.
        is_flat = after[0] < before[0] * 1.5 + 10 and after[1] <= before[1] + _POOLED
        is_good = is_at_end and is_well and is_flat and self._is_clean(tally)
        return 0 if is_good else 1

    async def _hurt(self) -> tuple[float, int]:
        """Hurt until the time is over; the figures of the witness before."""
        until = time.monotonic() + 60 * self._minutes
        await asyncio.sleep(min(30.0, 15 * self._minutes))
        before = figures(psutil.Process(self._world.witness.pid))
        faults = self._faults
        while until - time.monotonic() > 15 and not faults.broke_off:
            await asyncio.sleep(faults.pause_s())
            await faults.one()
        if not faults.broke_off:
            await asyncio.sleep(max(0.0, until - time.monotonic()))
        return before

    def _is_clean(self, tally: Tally) -> bool:
        faults = self._faults
        return tally.is_clean and not (
            faults.processes.ended_count
            or faults.processes.bad_stops
            or faults.broke_off
            or self._truth.lies
        )

    def _print(self, tally: Tally) -> None:
        faults, load, truth = self._faults, self._load, self._truth
        if faults.broke_off:
            print(f"broke off, for a fault could not be brought about:\n{faults.broke_off}")
        print(f"faults: {faults.counts.total()}: {dict(sorted(faults.counts.items()))}")
        print(f"put off, for the cluster was not whole: {faults.put_off or 0}")
        print(
            f"processes that ended by themselves: {faults.processes.ended_count}; stops that "
            f"failed: {faults.processes.bad_stops or 0}"
        )
        print(
            f"requests: {structs.asdict(tally.account)}; not sent: {load.refused_connections} "
            f"refused connections, {load.held_back} held back"
        )
        print(f"gone with a primary: {tally.gone}; twice on the stream: {tally.stream_doubled}")
        print(f"feed: gaps {self._reader.gaps}")
        columns = ("handled", "lost", "doubled", "recognised", "out_of_order")
        print(f"{'':10}{''.join(f'{column:>14}' for column in columns)}")
        for name, place in tally.places.items():
            row = structs.asdict(place)
            print(f"{name:10}{''.join(f'{row[column]!s:>14}' for column in columns)}")
        print(
            f"dead letters of events {tally.dead_letters}; of {faults.hostile_count} hostile "
            f"entries {dict(tally.undecodable)}; audit faults {tally.audit_faults or 0}"
        )
        print(
            f"probes asked {truth.asked_count} times, untrue {len(truth.lies)}: {truth.lies[:20]}"
        )


async def soak(
    directory: Path,
    binary: ServerBinary,
    nodes: tuple[int, int],
    *,
    minutes: float,
    seed: int,
    rate: float,
) -> int:
    """The exit code; `directory` holds all files and logs."""
    primaries, replicas = nodes
    print(f"{binary.name}, {primaries} primaries, {replicas} replicas, seed {seed}", flush=True)
    async with open_world(directory, binary, primaries=primaries, replicas=replicas) as found:
        world, reader = found
        return await Soak(world, reader, seed=seed, minutes=minutes, rate=rate).run()


def _nodes(text: str) -> tuple[int, int]:
    primaries, _, replicas = text.partition("+")
    return int(primaries), int(replicas or 0)


def main() -> int:
    """Read the arguments, and run."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--rate", type=float, default=60.0, help="events a second")
    parser.add_argument(
        "--cluster", type=_nodes, default=(2, 0), help="primaries+replicas: 2, or 3+3"
    )
    parser.add_argument("--server", choices=(HERE, *SERVERS), default=HERE)
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
                server_named(arguments.server),
                arguments.cluster,
                minutes=arguments.minutes,
                seed=arguments.seed,
                rate=arguments.rate,
            )
        )


if __name__ == "__main__":
    sys.exit(main())
