"""CPU time per accepted event: the gateway next to a bare handler and its peers, in one run.

Turns of a quarter of a second alternate, so that what else the machine does hits all alike; the
figure of each contender is the median of its turns. What counts is the CPU time of the server's
process tree; Redis and the load have their own processes and are not in it. The servers have one
core to themselves, the load and Redis the others, so that no contender's caches are emptied by
what is only there to measure it.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.local.server import RedisServer, find_server, free_port
from tests.benchmarks.load import Load, cpu_seconds

HERE: Final = Path(__file__).parent
BODY: Final = (HERE.parent.parent / "wire" / "comment-updated.app.form").read_bytes()
MEMBER_ID: Final = "010b6886ebc205e43ae65000ee00addb"
TOKEN: Final = "3c6c9248ec54af6bea1159b43ee0ab32"
BARS: Final = {
    "bare aiohttp": 1.4,
    "FastAPI + FastStream": 0.22,
    "plain aiohttp": 0.45,
    "node": 1.0,
}
TURN_S: Final = 0.25
ALL_CORES: Final = frozenset(os.sched_getaffinity(0))


def bodies() -> Iterator[bytes]:
    """The real-shaped body, each time for another comment."""
    for number in itertools.count(1):
        yield BODY.replace(b"=999", b"=%d" % number)


def pin(pid: int, *, is_server: bool) -> None:
    """Give a process its share of the cores: servers the first, everybody else the others."""
    first, *others = sorted(ALL_CORES)
    if others:
        os.sched_setaffinity(pid, [first] if is_server else others)


class Contender:
    """A server process on a free port."""

    def __init__(self, name: str, command: list[str], directory: Path, redis_url: str) -> None:
        self.name = name
        self.port = free_port()
        self.micros: list[float] = []
        portal = {"member_id": MEMBER_ID, "domain": "acme.example", "application_tokens": [TOKEN]}
        environment = os.environ | {
            "PORT": str(self.port),
            "REDIS_URL": redis_url,
            "MEMBER_ID": MEMBER_ID,
            "TOKEN": TOKEN,
        }
        if "gateway" in command:
            environment |= {
                "GATEWAY_HTTP_PORT": str(self.port),
                "GATEWAY_ADMIN_PORT": str(free_port()),
                "GATEWAY_REDIS_URL": redis_url,
                "GATEWAY_SPOOL_DIR": str(directory / "spool"),
                "GATEWAY_PORTALS": json.dumps([portal]),
            }
        self.process = subprocess.Popen(
            command, env=environment, stderr=(directory / f"{self.port}.log").open("wb")
        )
        pin(self.process.pid, is_server=True)
        self.load = Load(self.port, bodies())

    async def open(self) -> None:
        deadline = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError):
                await self.load.open()
                return
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"{self.name} did not start")
            await asyncio.sleep(0.1)

    async def turn(self, *, is_counted: bool) -> None:
        before = cpu_seconds(self.process.pid)
        answered = await self.load.as_fast_as_it_goes(TURN_S)
        spent = cpu_seconds(self.process.pid) - before
        if is_counted:
            self.micros.append(spent / answered * 1e6)

    def stop(self) -> None:
        self.load.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def commands(directory: Path) -> dict[str, list[str]]:
    """The contenders that can run here."""
    python = sys.executable
    found = {
        "gateway": [python, "-m", "gateway", "serve"],
        "bare aiohttp": [python, str(HERE / "bare_aiohttp.py")],
        "FastAPI + FastStream": [python, str(HERE / "fastapi_faststream.py")],
        "plain aiohttp": [python, str(HERE / "plain_aiohttp.py")],
    }
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        shutil.copytree(HERE / "node", directory / "node")
        installed = subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--silent"],
            cwd=directory / "node",
            check=False,
        )
        if installed.returncode == 0:
            found["node"] = [node, str(directory / "node" / "server.js")]
    return found


async def run(turns: int) -> dict[str, float]:
    """Median CPU microseconds per event of each contender, in alternating turns."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        server = RedisServer(
            find_server(),
            directory / "redis",
            append_only=True,
            options=("--appendfsync", "everysec"),
        )
        server.start()
        pin(server.pid, is_server=False)
        pin(0, is_server=False)
        contenders = [
            Contender(name, command, directory, server.url)
            for name, command in commands(directory).items()
        ]
        try:
            for contender in contenders:
                await contender.open()
            for number in range(turns + 4):  # the first turns warm up
                for contender in contenders:
                    await contender.turn(is_counted=number >= 4)
        finally:
            for contender in contenders:
                contender.stop()
            server.stop()
        for contender in contenders:
            if contender.load.statuses.keys() != {"200"} or contender.load.broken > 64:
                raise SystemExit(f"{contender.name} answered {contender.load.statuses}")
        return {contender.name: statistics.median(contender.micros) for contender in contenders}


def table(micros: dict[str, float]) -> list[dict[str, object]]:
    """The rows of the result, with the bars that were set for them."""
    ours = micros["gateway"]
    return [
        {
            "contender": name,
            "cpu_us_per_event": round(value, 1),
            "gateway_is_times": round(ours / value, 3),
            "bar": BARS.get(name),
            "holds": name == "gateway" or ours / value <= BARS[name],
        }
        for name, value in micros.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=40, help="quarter-second turns of each")
    parser.add_argument("--json", metavar="FILE", help="write the table there, too")
    options = parser.parse_args()
    rows = table(asyncio.run(run(options.turns)))
    print(f"{'':24}{'µs CPU/event':>14}{'gateway is':>14}{'bar':>8}")
    for row in rows:
        ratio = "" if row["contender"] == "gateway" else f"{row['gateway_is_times']} x"
        bar = "" if row["bar"] is None else f"{row['bar']} x"
        verdict = "" if row["bar"] is None else ("holds" if row["holds"] else "MISSED")
        print(f"{row['contender']:24}{row['cpu_us_per_event']:>14}{ratio:>14}{bar:>8}  {verdict}")
    if options.json:
        Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")
    sys.exit(not all(row["holds"] for row in rows))


if __name__ == "__main__":
    main()
