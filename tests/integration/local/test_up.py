"""`gateway up` as a person runs it: one process in an empty directory, stopped with Ctrl-C."""

import asyncio
import json
import os
import re
import shutil
import signal
import socket
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import duckdb
import psutil
import pytest

from gateway.redis_access import connections
from tests.support.eventually import eventually

CONSUMERS = ("audit", "enricher", "warehouse", "notifier")
STARTED = re.compile(r"up +(\w+) started, process (\d+)$")
REDIS = re.compile(r"redis://127\.0\.0\.1:\d+/0")


class Up:
    """The process, what it printed, and which processes it said it started."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self.pids: dict[str, list[int]] = {}

    async def read(self) -> None:
        assert self.process.stdout is not None
        while raw := await self.process.stdout.readline():
            line = raw.decode().rstrip("\n")
            self.lines.append(line)
            if started := STARTED.search(line):
                self.pids.setdefault(started[1], []).append(int(started[2]))

    def printed(self, pattern: str, *, after: int = 0) -> bool:
        return any(re.search(pattern, line) for line in self.lines[after:])

    async def until_printed(self, pattern: str, *, after: int = 0) -> None:
        try:
            await eventually(lambda: self.printed(pattern, after=after), timeout_s=60)
        except AssertionError as error:
            raise AssertionError(f"{pattern} is not in\n" + "\n".join(self.lines)) from error

    def alive(self) -> list[int]:
        return [pid for pids in self.pids.values() for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def environment(**settings: str) -> dict[str, str]:
    """Free ports and the given settings, and none of the settings of whoever runs the tests."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("GATEWAY_")}
    return inherited | {"GATEWAY_HTTP_PORT": "0", "GATEWAY_ADMIN_PORT": "0"} | settings


@asynccontextmanager
async def up(directory: Path, *arguments: str, **environ: str) -> AsyncIterator[Up]:
    """`gateway up` on free ports; killed, should the test not have stopped it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "up", *arguments),
        cwd=directory,
        env=environment(**environ),
        stdout=PIPE,
        stderr=STDOUT,
    )
    running = Up(process)
    reading = asyncio.create_task(running.read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
    await eventually(lambda: not running.alive())


async def said_here(directory: Path, module: str, *arguments: str) -> str:
    """What a command says that is called in the directory, and told of no settings."""
    inherited = {key: text for key, text in os.environ.items() if not key.startswith("GATEWAY_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments), cwd=directory, env=inherited, stdout=PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output
    return output.decode()


async def ended(running: Up) -> int:
    """Its exit code, once it has ended; it may give [consumers] grace_s to what is in hand."""
    try:
        async with asyncio.timeout(60):
            return await running.process.wait()
    except TimeoutError:
        pytest.fail("\n".join(["has not ended:", *running.lines[-60:]]))


def audited(directory: Path) -> set[str]:
    """The ids of the events in the audit log."""
    lines = [
        line
        for path in (directory / "var/audit").rglob("*.jsonl")
        for line in path.read_text().splitlines()
    ]
    return set(re.findall(r'"id": ?"([0-9a-f-]{36})"', "\n".join(lines)))


def loaded(directory: Path) -> set[str]:
    """The ids of the events in the warehouse; none before the first load and during any."""
    try:
        with duckdb.connect(str(directory / "var/warehouse.duckdb"), read_only=True) as database:
            rows = database.sql("SELECT event_id FROM bitrix24.comment_events").fetchall()
    except (duckdb.IOException, duckdb.CatalogException):
        return set()
    return {row[0] for row in rows}


@pytest.fixture
def again(tmp_path: Path, empty_warehouse: Path) -> Path:
    """A directory in which it has run: the tables have been made."""
    (tmp_path / "var").mkdir()
    shutil.copy(empty_warehouse, tmp_path / "var" / "warehouse.duckdb")
    return tmp_path


async def test_an_event_goes_in_and_every_consumer_acts_on_it(tmp_path: Path) -> None:
    async with up(tmp_path, "--demo") as running:
        await running.until_printed(
            r"portal +comment/996 of deal 16 edited: .* 200 ok, stored: stream"
        )
        for consumer in CONSUMERS:
            await running.until_printed(rf"{consumer} +comment/996 handled and acknowledged")
        await running.until_printed(r"notified +notification delivered: .*996")
        entry = next(line for line in running.lines if re.search(r"events +.*comment/996 ", line))
        (event_id,) = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", entry)
        assert event_id in audited(tmp_path)
        assert (tmp_path / "var" / "vault.key").stat().st_mode & 0o777 == 0o600
        assert not running.printed("no quarantine")
        shown = await said_here(tmp_path, "gateway", "portals", "list", "--json")
        assert "sandbox.bitrix24.example" in shown
        shown = await said_here(tmp_path, "consumers", "notifier", "check")
        assert "demo" in shown
        await eventually(lambda: event_id in loaded(tmp_path), timeout_s=20)

        seen = len(running.lines)
        os.kill(running.pids["audit"][0], signal.SIGKILL)
        await running.until_printed("audit ended with SIGKILL; starting it again in 0.5 s")
        await eventually(lambda: len(running.pids["audit"]) == 2)
        await running.until_printed(r"audit +comment/\d+ handled and acknowledged", after=seen)

        running.process.send_signal(signal.SIGINT)
        assert await ended(running) == 0
        assert running.alive() == []
        assert not running.printed("Traceback|error:"), running.lines
        assert not (tmp_path / "var" / "up.json").exists()


async def test_after_a_kill_nothing_is_left_running_and_it_starts_again(again: Path) -> None:
    async with up(again, "--demo") as running:
        await running.until_printed("audit +comment/996 handled and acknowledged")
        running.process.kill()
    assert running.alive() == []

    async with up(again) as running:
        await running.until_printed("Ctrl-C stops everything")
        (url,) = {found for line in running.lines for found in REDIS.findall(line)}
        async with connections.control(url) as redis:
            assert await redis.xlen("b24:events:{0}") > 0
        running.process.send_signal(signal.SIGTERM)
        assert await ended(running) == 0


async def test_a_redis_that_is_set_is_used_and_lines_for_machines_are_json(
    again: Path, redis_url: str
) -> None:
    settings = {"GATEWAY_REDIS_URL": redis_url, "GATEWAY_LOG_FORMAT": "json"}
    async with up(again, **settings) as running:
        await running.until_printed("Ctrl-C stops everything")
        running.process.send_signal(signal.SIGINT)
        assert await ended(running) == 0

    told = [json.loads(line)["event"] for line in running.lines]
    assert not [event for event in told if event.startswith("redis started")]
    assert any(redis_url in event for event in told)
    assert not (again / "var/redis").exists()


@pytest.mark.parametrize("section", ["http", "admin"])
async def test_a_taken_port_is_one_line_that_names_the_setting(
    tmp_path: Path, section: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        async with up(tmp_path, **{f"GATEWAY_{section.upper()}_PORT": str(port)}) as running:
            assert await running.process.wait() == 2

    (line,) = running.lines
    assert line.startswith(f"gateway: [{section}] port: {port} is taken on 127.0.0.1; ")
    assert f"GATEWAY_{section.upper()}_PORT" in line


async def test_a_process_that_cannot_run_ends_all_and_says_why(again: Path, redis_url: str) -> None:
    routes = '[{"urls": ["nonsense://"]}]'
    async with up(again, GATEWAY_REDIS_URL=redis_url, GATEWAY_NOTIFIER_ROUTES=routes) as running:
        assert await running.process.wait() == 2

    assert running.printed(r"notifier +consumers: \[\[notifier\.routes\]\] 1")
    assert running.lines[-1].startswith("gateway: notifier ended with exit code 2: ")
    assert running.alive() == []


async def test_a_reader_that_goes_away_ends_all_without_a_trace(
    again: Path, redis_url: str
) -> None:
    process = await asyncio.create_subprocess_shell(
        f"{sys.executable} -m gateway up --demo | head -1",
        cwd=again,
        env=environment(GATEWAY_REDIS_URL=redis_url),
        stdout=PIPE,
        stderr=PIPE,
    )
    async with asyncio.timeout(30):
        printed, trace = await process.communicate()

    started = STARTED.search(printed.decode().rstrip())
    assert started is not None
    assert not is_alive(int(started[2]))
    assert trace == b""
