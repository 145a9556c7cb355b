"""A whole installation, as `gateway up` runs it, and what its processes take."""

import asyncio
import json
import os
import re
import signal
import sys
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from gateway.local.redis_server import free_port
from gateway.redis_access import connections
from gateway.sandbox.portal import PortalIdentity
from tests.benchmarks.footprint.checkouts import Checkout
from tests.benchmarks.footprint.process_memory import shares
from tests.benchmarks.footprint.start_up import COMMANDS, is_ready
from tests.benchmarks.ingest.contenders import MEMBER_ID, TOKEN, bodies
from tests.benchmarks.load import Load, cpu_seconds
from tests.support.eventually import eventually

__all__ = ["Installation", "installed"]

_STARTED: Final = re.compile(r"up +(\w+) started, process (\d+)$")
_PORT: Final = re.compile(r"^\S+ +(\w+) +.*url.*?http://127\.0\.0\.1:(\d+)/metrics")
_REDIS: Final = re.compile(r"redis://127\.0\.0\.1:\d+/0")
_STREAMS: Final = ("b24:events:{0}", "b24:comments:{0}")
_PORTAL: Final = PortalIdentity(member_id=MEMBER_ID, domain="acme.example", application_token=TOKEN)
_START_S: Final = 180.0
_WORK_S: Final = 3600.0
_LOOK_S: Final = 5.0
_QUIET: Final = 0.05
"""Of a core: with less than this a whole installation is idle."""


class Installation:
    """`gateway up` with the settings that it has by itself, and one portal."""

    def __init__(self, process: Process, checkout: Checkout, port: int, admin_port: int) -> None:
        self.checkout = checkout
        self.starts: dict[str, tuple[float, float]] = {}
        self._process = process
        self.port = port
        self._pids: dict[str, int] = {}
        self._ports = {"receiver": admin_port}
        self._lines: list[str] = []

    async def read(self) -> None:
        """Read what it prints, until it ends."""
        assert self._process.stdout is not None
        while raw := await self._process.stdout.readline():
            line = raw.decode().rstrip()
            self._lines.append(line)
            if started := _STARTED.search(line):
                self._pids[started[1]] = int(started[2])
            if listening := _PORT.search(line):
                self._ports[listening[1]] = int(listening[2])

    async def start(self) -> None:
        """Wait until all are ready; notes the CPU time and the time by the clock of each."""
        await asyncio.gather(*(self._ready(name) for name in COMMANDS))
        await eventually(lambda: self._said("Ctrl-C stops everything"), timeout_s=_START_S)

    async def work(self, events: int) -> None:
        """Deliver so many events, and wait until all groups are through with them."""
        load = Load(self.port, bodies())
        await load.open()
        while len(load.seconds) < events:
            await load.as_fast_as_it_goes(1.0)
        load.close()
        if load.statuses.keys() != {"200"}:
            raise SystemExit(f"answers: {load.statuses}")
        async with connections.control(self.redis_url, timeout_s=30) as client:

            async def are_through() -> bool:
                return all([await _is_through(client, key, events) for key in _STREAMS])

            await eventually(are_through, timeout_s=_WORK_S)

    async def rest(self, at_least_s: float) -> None:
        """Wait until it does next to nothing, and then so many seconds more."""
        while True:
            before = cpu_seconds(self._process.pid)
            await asyncio.sleep(_LOOK_S)
            if cpu_seconds(self._process.pid) - before < _QUIET * _LOOK_S:
                break
        await asyncio.sleep(at_least_s)

    def shares(self) -> dict[str, float]:
        """Of each of its processes, `up` being what starts them; MB (PSS)."""
        return shares(self._process.pid, {pid: name for name, pid in self._pids.items()})

    async def _ready(self, name: str) -> None:
        def has_begun() -> bool:
            if self._process.returncode is not None:
                raise SystemExit("\n".join(self._lines[-20:]))
            return name in self._pids

        await eventually(has_begun, timeout_s=_START_S)
        await eventually(
            lambda: name in self._ports and asyncio.to_thread(is_ready, self._ports[name]),
            timeout_s=_START_S,
        )
        pid = self._pids[name]
        self.starts[name] = cpu_seconds(pid), _age_s(pid)

    def _said(self, words: str) -> bool:
        return any(words in line for line in self._lines)

    @property
    def redis_url(self) -> str:
        """Where its Redis is, once it has started."""
        url: str = next(found for line in self._lines for found in _REDIS.findall(line))
        return url


def _age_s(pid: int) -> float:
    """For how long a process has been there, to a tick of 10 ms: proc_pid_stat(5), starttime."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    began_s = int(after_name[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - began_s


async def _is_through(client: Any, key: str, events: int) -> bool:
    about = await client.xinfo_stream(key)
    groups = await client.xinfo_groups(key)
    return about["entries-added"] >= events and all(
        (one["last-delivered-id"], one["pending"]) == (about["last-generated-id"], 0)
        for one in groups
    )


@asynccontextmanager
async def installed(
    checkout: Checkout,
    directory: Path,
    *,
    portal: PortalIdentity = _PORTAL,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[Installation]:
    """An installation in an empty directory, with one portal; stopped at the end.

    `settings` are further variables, by their whole names.
    """
    port, admin_port = free_port(), free_port()
    registered = {
        "member_id": portal.member_id,
        "domain": portal.domain,
        "application_tokens": [portal.application_token],
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "up"),
        cwd=directory,
        env=checkout.environment(
            GATEWAY_HTTP_PORT=str(port),
            GATEWAY_ADMIN_PORT=str(admin_port),
            GATEWAY_PORTALS=json.dumps([registered]),
            **(settings or {}),
        ),
        stdout=PIPE,
        stderr=STDOUT,
    )
    installation = Installation(process, checkout, port, admin_port)
    reading = asyncio.create_task(installation.read())
    try:
        yield installation
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
        await process.wait()
        await reading
