"""How many notifications a second the notifier delivers into a local HTTP sink, and its memory.

The real process, a real server, a real HTTP sink. The sink runs in this process and takes its share
of the machine. Bars: 200 notifications/s, and under 300 MB that do not grow.
"""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from gateway.local.redis_server import RedisServer, find_server
from gateway.redis_access import connections
from tests.integration.notifier.processes import (
    comment_event,
    is_reading,
    notifier_process,
    publish,
)
from tests.integration.notifier.sinks import http_sink
from tests.support.eventually import eventually

EVENTS = 12_000
BAR_PER_S = 200
BAR_MB = 300


def memory_mb(pid: int) -> float:
    """The process's resident memory."""
    (line,) = (
        line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line
    )
    return int(line.split()[1]) / 1024


def cpu_s(pid: int) -> float:
    """The seconds of processor time that the process has had."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


async def measure(directory: Path, url: str) -> bool:
    """Deliver all events, print the figures; whether the bars are reached."""
    redis = connections.control(url)
    async with http_sink() as sink:
        routes = f'allow_private = true\n[[notifier.routes]]\nurls = ["{sink.url}"]\nwindow_s = 0\n'
        with notifier_process(url, routes, directory) as process:
            await eventually(lambda: is_reading(redis))
            at_rest_mb = memory_mb(process.pid)
            begun, cpu_before_s = time.perf_counter(), cpu_s(process.pid)
            memory = []
            for first in range(0, EVENTS, 1000):
                await publish(redis, *map(comment_event, range(first + 1, first + 1001)))
                wanted = first + 1000
                await eventually(lambda wanted=wanted: len(sink.received) >= wanted, timeout_s=120)  # type: ignore[misc]
                memory.append(memory_mb(process.pid))
            per_s = EVENTS / (time.perf_counter() - begun)
            cpu_ms = (cpu_s(process.pid) - cpu_before_s) * 1000 / EVENTS
    await redis.aclose()
    is_once = len({received.key for received in sink.received}) == len(sink.received) == EVENTS
    half = memory[len(memory) // 2]
    is_flat = memory[-1] - half < 10
    print(f"notifications/s     {per_s:8.0f}   (bar: at least {BAR_PER_S})")
    print(f"CPU ms each         {cpu_ms:8.2f}")
    print(f"memory, MB          {max(memory):8.0f}   (bar: under {BAR_MB})")
    print(f"  at rest           {at_rest_mb:8.0f}")
    print(f"  after {EVENTS // 2:6}      {half:8.0f}")
    print(f"  after {EVENTS:6}      {memory[-1]:8.0f}   (bar: within 10 of the line above)")
    print(f"each event once     {is_once!s:>8}")
    return per_s >= BAR_PER_S and max(memory) < BAR_MB and is_flat and is_once


def main() -> None:
    """Run once; exit code 1 below a bar."""
    with tempfile.TemporaryDirectory() as directory:
        server = RedisServer(find_server(), Path(directory) / "redis", append_only=True)
        server.start()
        try:
            reached = asyncio.run(measure(Path(directory), server.url))
        finally:
            server.stop()
    sys.exit(0 if reached else 1)


if __name__ == "__main__":
    main()
