"""The servers that are measured: the gateway, a bare handler, and peers; each a process."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.local.redis_server import free_port
from tests.benchmarks.load import Load, cpu_seconds

__all__ = [
    "BEFORE",
    "DEALS",
    "DEAL_BODY",
    "GATEWAY",
    "Contender",
    "bodies",
    "commands",
    "gateway_command",
    "gateway_of",
    "pin",
]

HERE: Final = Path(__file__).parent
BODY: Final = (HERE.parent.parent / "wire" / "comment-updated.app.form").read_bytes()
DEAL_BODY: Final = BODY.replace(b"ONCRMTIMELINECOMMENTUPDATE", b"ONCRMDEALUPDATE")
MEMBER_ID: Final = "010b6886ebc205e43ae65000ee00addb"
TOKEN: Final = "3c6c9248ec54af6bea1159b43ee0ab32"
TURN_S: Final = 0.25
GATEWAY: Final = "gateway"
DEALS: Final = "gateway, deals"
BEFORE: Final = "gateway before"
ALL_CORES: Final = frozenset(os.sched_getaffinity(0))


def bodies(portals: int = 1, *, of: bytes = BODY) -> Iterator[bytes]:
    """A real-shaped body, each time about another one of its kind, of one portal after another."""
    for number in itertools.count(1):
        body = of.replace(b"=999", b"=%d" % number)
        yield body.replace(MEMBER_ID.encode(), _member_id(number % portals).encode())


def _member_id(number: int) -> str:
    return f"{int(MEMBER_ID, 16) + number:0{len(MEMBER_ID)}x}"


def pin(pid: int, *, is_server: bool) -> None:
    """Give a process its share of the cores: servers the first, everybody else the others."""
    first, *others = sorted(ALL_CORES)
    if others:
        os.sched_setaffinity(pid, [first] if is_server else others)


class Contender:
    """A server process on a free port, to which so many `portals` send the same `body`, but for
    what it is about.
    """

    def __init__(
        self,
        name: str,
        command: list[str],
        directory: Path,
        redis_url: str,
        *,
        portals: int = 1,
        body: bytes = BODY,
    ) -> None:
        self.name = name
        self.port = free_port()
        self.micros: list[float] = []
        registered = [
            {
                "member_id": _member_id(number),
                "domain": "acme.example",
                "application_tokens": [TOKEN],
            }
            for number in range(portals)
        ]
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
                "GATEWAY_PORTALS": json.dumps(registered),
            }
        if body is DEAL_BODY:
            environment["GATEWAY_EVENTS"] = (
                '[{"name": "onCrmTimelineComment*"}, {"name": "onCrm*"}]'
            )
        self.process = subprocess.Popen(
            command, env=environment, stderr=(directory / f"{self.port}.log").open("wb")
        )
        pin(self.process.pid, is_server=True)
        self.load = Load(self.port, bodies(portals, of=body))

    async def open(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError):
                await self.load.open()
                return
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(f"{self.name} did not start")
            await asyncio.sleep(0.1)

    async def turn(self, *, is_counted: bool) -> None:
        """A quarter of a second as fast as it goes."""
        before = cpu_seconds(self.process.pid)
        answered = await self.load.as_fast_as_it_goes(TURN_S)
        spent = cpu_seconds(self.process.pid) - before
        if is_counted:
            self.micros.append(spent / answered * 1e6)

    async def steady_turn(self, rate: float, seconds: float, *, is_counted: bool) -> None:
        """Some seconds of so many events a second, each at its time."""
        before, answered = cpu_seconds(self.process.pid), len(self.load.seconds)
        await self.load.steadily(rate, seconds)
        spent = cpu_seconds(self.process.pid) - before
        if is_counted:
            self.micros.append(spent / (len(self.load.seconds) - answered) * 1e6)

    def stop(self) -> None:
        self.load.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def gateway_command() -> list[str]:
    """The receiver."""
    return [sys.executable, "-m", "gateway", "serve"]


def gateway_of(checkout: Path) -> list[str]:
    """The receiver of another checkout, with the libraries of this one."""
    return ["env", f"PYTHONPATH={checkout}", sys.executable, "-P", "-m", "gateway", "serve"]


def commands(directory: Path, before: Path | None) -> dict[str, list[str]]:
    """The contenders that can run here; `before` is another checkout of the gateway."""
    python = sys.executable
    found = {
        GATEWAY: gateway_command(),
        "bare aiohttp": [python, str(HERE / "bare_aiohttp.py")],
        "FastAPI + FastStream": [python, str(HERE / "fastapi_faststream.py")],
        "plain aiohttp": [python, str(HERE / "plain_aiohttp.py")],
    }
    if before is not None:
        found[BEFORE] = gateway_of(before)
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
