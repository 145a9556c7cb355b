"""Measures what a process imports when it starts, package by package, by `python -X importtime`.

Times are by the clock, in which a busy machine only ever adds: of several starts the least counts
for each package.
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from gateway.local.redis_server import RedisServer, find_server, free_port
from tests.benchmarks.footprint.checkouts import HERE
from tests.benchmarks.footprint.start_up import is_ready
from tests.benchmarks.load import cpu_seconds
from tests.benchmarks.report.profile import Part, Profile

__all__ = ["imported"]

_STARTS: Final = 7
_MOST: Final = 12
_DEADLINE_S: Final = 60.0
_LINE: Final = re.compile(r"import time: +(?P<us>\d+) \| +\d+ \| +(?P<package>[^.\s]+)")


def imported() -> Profile:
    """The imports of a receiver until it is ready."""
    HERE.compile()
    with TemporaryDirectory(prefix="bench-imports-") as name:
        server = RedisServer(find_server(), Path(name) / "redis")
        server.start()
        try:
            starts = [_started(Path(name), server.url) for _ in range(_STARTS)]
        finally:
            server.stop()
    packages = {package for _, packages in starts for package in packages}
    least_us = Counter({one: min(packages[one] for _, packages in starts) for one in packages})
    cpu_s = min(seconds for seconds, _ in starts)
    parts = [
        Part(package, round(us / least_us.total(), 3))
        for package, us in least_us.most_common(_MOST)
    ]
    about = (
        f"What a start of the receiver imports: {least_us.total() / 1e6:.2f} s by the clock, of "
        f"{cpu_s:.2f} s of CPU until it is ready. By package, each without what it imports:"
    )
    return Profile("footprint", about, parts)


def _started(directory: Path, redis_url: str) -> tuple[float, Counter[str]]:
    """The CPU time of a start, and the microseconds by package."""
    port = free_port()
    environment = HERE.environment(
        GATEWAY_REDIS_URL=redis_url, GATEWAY_HTTP_PORT="0", GATEWAY_ADMIN_PORT=str(port)
    )
    log = directory / "start.log"
    command = [sys.executable, "-X", "importtime", "-m", "gateway", "serve"]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, cwd=directory, env=environment, stderr=errors) as process,
    ):
        try:
            deadline = time.monotonic() + _DEADLINE_S
            while not is_ready(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the receiver did not start:{os.linesep}{log.read_text()}")
                time.sleep(0.01)
            cpu_s = cpu_seconds(process.pid)
        finally:
            process.terminate()
    packages: Counter[str] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        if match := _LINE.match(line):
            packages[match["package"]] += int(match["us"])
    return cpu_s, packages
