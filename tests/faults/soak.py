"""`make soak MINUTES=n`: consumers under load while processes and Redis die at random.

Three processes share four partitions; another one, of a group of its own, is never hurt and is
the witness for memory and descriptors. Every few seconds one of the three is killed, frozen or
stopped, or Redis is killed, frozen or loses a group. Retention trims the streams meanwhile, so
that an hour does not end in ever longer restarts of Redis. The last line has the sums; exit code 1
if anything was lost, became a dead letter or is pending at the end, if a process ended by itself,
or if the witness has grown.
"""

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import psutil
import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway import connections
from gateway.contract import Streams, encode_event
from gateway.local.server import RedisServer, find_server
from gateway.retention.keeper import Retention
from gateway.settings import Retention as RetentionSettings
from tests.faults.stage import SAFE
from tests.integration.consumers.running import ServiceProcess, comment_event, service, settled

_POOLED: Final = 2 * 4  # the pools of a process: for each partition, one to read and one to settle
STREAMS: Final = Streams(partitions=4)
GROUP: Final = "search-index"
PER_SECOND: Final = 200
_KEPT_S: Final = 120.0
SETTINGS: Final = {
    "GATEWAY_REDIS_PARTITIONS": "4",
    "GATEWAY_CONSUMERS_LEASE_S": "2",
    "SERVICE_TAKES_S": "0.01",  # so that a kill comes in the middle of handlers
}


class Soak:
    """The load, the processes, and what is done to them."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.directory = directory
        self.server = RedisServer(
            find_server(), directory / "redis", append_only=True, options=SAFE
        )
        self.random = random.Random(seed)
        self.sent: list[str] = []
        self.faults: Counter[str] = Counter()
        self.services: list[ServiceProcess] = []
        self.ended = 0  # processes that nobody had stopped

    def start_service(self, stack: ExitStack) -> ServiceProcess:
        return stack.enter_context(service(self.server.url, self.directory, **SETTINGS))

    async def load(self, redis: Redis, until: float) -> None:
        """Store events, each until Redis says so; what it did not say may be stored twice."""
        number = 0
        while time.monotonic() < until:
            number += 1
            event = comment_event(number % 500 + 1)
            partition = STREAMS.partition_of("portal", event.data.comment_id)
            while True:
                with suppress(*connections.AWAY, ResponseError):
                    fields = {"event": encode_event(event)}
                    await redis.xadd(STREAMS.key("events", partition), fields)  # type: ignore[arg-type]
                    break
                await asyncio.sleep(0.1)
            self.sent.append(event.id)
            await asyncio.sleep(1 / PER_SECOND)

    async def hurt(self, redis: Redis, stack: ExitStack, until: float) -> None:
        """Something every two to six seconds."""
        while (rest_s := until - time.monotonic()) > 10:
            await asyncio.sleep(min(self.random.uniform(2, 6), rest_s))
            fault = self.random.choice(
                ["kill", "kill", "freeze", "stop", "redis killed", "redis frozen", "group deleted"]
            )
            self.faults[fault] += 1
            victim = self.random.randrange(len(self.services))
            process = self.services[victim].process
            if process.poll() is not None:
                self.ended += 1
                self.services[victim] = self.start_service(stack)
                continue
            if fault == "kill":
                self.services[victim].kill()
                self.services[victim] = self.start_service(stack)
            elif fault == "stop":
                process.terminate()
                self.services[victim] = self.start_service(stack)
            elif fault == "freeze":
                os.kill(process.pid, signal.SIGSTOP)
                await asyncio.sleep(4)
                os.kill(process.pid, signal.SIGCONT)
            elif fault == "redis killed":
                self.server.kill()
                await asyncio.sleep(1)
                self.server.start()
            elif fault == "redis frozen":
                self.server.pause()
                await asyncio.sleep(4)
                self.server.resume()
            else:
                key = STREAMS.key("events", self.random.randrange(4))
                with suppress(*connections.AWAY, ResponseError):
                    await redis.xgroup_destroy(key, GROUP)

    async def drained(self, redis: Redis) -> bool:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with suppress(*connections.AWAY, ResponseError):
                if all([await settled(redis, key, GROUP) for key in STREAMS.keys("events")]):
                    return True
            await asyncio.sleep(0.2)
        return False


async def dead_letter_count(redis: Redis) -> int:
    return sum([await redis.xlen(STREAMS.dead(GROUP, number)) for number in range(4)])


def figures(process: psutil.Process) -> tuple[float, int]:
    """Memory in MiB, and open descriptors."""
    return process.memory_info().rss / 2**20, process.num_fds()


async def soak(minutes: float, seed: int) -> int:
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        run = Soak(Path(directory), seed)
        run.server.start()
        stack.callback(run.server.stop)
        witness_dir = Path(directory) / "witness"
        witness_dir.mkdir()
        name = "tests.faults.soak_witness:app"
        witness = stack.enter_context(service(run.server.url, witness_dir, name=name, **SETTINGS))
        run.services = [run.start_service(stack) for _ in range(3)]
        redis = connections.publisher(run.server.url, timeout_s=2)
        until = time.monotonic() + 60 * minutes
        loading = asyncio.create_task(run.load(redis, until))
        await asyncio.sleep(min(20.0, 15 * minutes))
        before = figures(psutil.Process(witness.process.pid))
        operator = connections.control(run.server.url)
        retention = Retention(operator, STREAMS, RetentionSettings(days=_KEPT_S / 86_400))
        retention.start()
        await run.hurt(operator, stack, until)
        await loading
        is_drained = await run.drained(operator)
        await retention.close()
        dead = await dead_letter_count(operator)
        after = figures(psutil.Process(witness.process.pid))
        effects = Counter(effect[0] for effect in run.services[0].effects())
        await redis.aclose()
        await operator.aclose()
    lost = len(set(run.sent) - effects.keys())
    print(
        f"seed {seed}; faults: {dict(run.faults)}; processes that ended by themselves: {run.ended}"
    )
    print(f"drained: {is_drained}; dead letters: {dead}")
    print(
        f"sent {len(run.sent)}  handled {len(effects)}  lost {lost}  "
        f"duplicated effects {sum(effects.values()) - len(effects)}  "
        f"memory {before[0]:.1f} -> {after[0]:.1f} MiB  descriptors {before[1]} -> {after[1]}"
    )
    # A pool keeps as many connections as were ever in use at once; a leak would be one a fault.
    is_flat = after[0] < before[0] * 1.5 + 10 and after[1] <= before[1] + _POOLED
    return 0 if is_drained and not (lost or dead or run.ended) and is_flat else 1


def main() -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    return asyncio.run(soak(arguments.minutes, arguments.seed))


if __name__ == "__main__":
    sys.exit(main())
