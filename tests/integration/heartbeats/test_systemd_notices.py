"""What real processes tell systemd, by a socket that stands for it."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.heartbeats.systemd_notices import SystemdNotices
from tests.support.consumer_process import ConsumerProcess
from tests.support.eventually import eventually
from tests.support.program import Program
from tests.support.receiver_process import Receiver


class Systemd:
    """Hears what it is told."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def hears(self, state: str) -> bool:
        try:
            while True:
                self.heard.append(self._socket.recv(1024).decode())
        except BlockingIOError:
            return state in self.heard

    def environment(self, *, watchdog_s: float = 0.3) -> dict[str, str]:
        return {"NOTIFY_SOCKET": str(self.path), "WATCHDOG_USEC": str(round(watchdog_s * 1e6))}

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    one = Systemd(tmp_path)
    yield one
    one.close()


async def is_told_all_of(process: Program, systemd: Systemd) -> None:
    await eventually(lambda: systemd.hears("READY=1"), timeout_s=60)
    systemd.heard.clear()
    await eventually(lambda: systemd.hears("WATCHDOG=1"))
    assert not systemd.hears("STOPPING=1")
    # Heard meanwhile: a socket that nobody reads has room for ten, and more are lost.
    stopping = asyncio.create_task(process.stop())
    await eventually(lambda: systemd.hears("STOPPING=1"))
    assert await stopping == 0


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_receiver_is_ready_lives_and_stops(
    redis_url: str,
    tmp_path: Path,
    systemd: Systemd,
    monkeypatch: pytest.MonkeyPatch,
    workers: str,
) -> None:
    for name, value in systemd.environment().items():
        monkeypatch.setenv(name, value)
    with Receiver(
        tmp_path, redis_url, spool=tmp_path / "spool", settings={"HTTP_WORKERS": workers}
    ) as receiver:
        await receiver.start()
        await is_told_all_of(receiver, systemd)
    assert systemd.heard.count("READY=1") == 0  # heard before, and just once


async def test_a_consumer_is_ready_before_redis_is_there(tmp_path: Path, systemd: Systemd) -> None:
    environment = systemd.environment() | {
        "GATEWAY_REDIS_URL": "redis://127.0.0.1:1/0",
        "GATEWAY_AUDIT_DIR": str(tmp_path / "audit"),
    }
    with ConsumerProcess("audit", tmp_path, environment) as consumer:
        consumer.launch()
        await is_told_all_of(consumer, systemd)


async def test_reconcile_tells_too(redis_url: str, tmp_path: Path, systemd: Systemd) -> None:
    with Program(
        (sys.executable, "-m", "gateway", "reconcile"),
        log_file=tmp_path / "log",
        directory=tmp_path,
        environment={"GATEWAY_REDIS_URL": redis_url, **systemd.environment()},
    ) as process:
        process.launch()
        await is_told_all_of(process, systemd)


async def test_a_process_that_is_not_well_is_not_said_to_live(systemd: Systemd) -> None:
    reasons: list[str | None] = [None]

    async def why_not_alive() -> str | None:
        return reasons[0]

    manager = SystemdNotices(why_not_alive, systemd.environment(watchdog_s=0.03))
    manager.start()
    await eventually(lambda: systemd.hears("WATCHDOG=1"))
    reasons[0] = "a part has ended"
    await asyncio.sleep(0.05)
    systemd.hears("")
    systemd.heard.clear()
    await asyncio.sleep(0.1)
    assert not systemd.hears("WATCHDOG=1")
    reasons[0] = None
    await eventually(lambda: systemd.hears("WATCHDOG=1"))
    await manager.close()


async def test_without_systemd_nothing_is_told_and_a_watchdog_of_another_is_none() -> None:
    async def why_not_alive() -> str | None:
        raise AssertionError("nobody asked")

    for environ in (
        {},
        {"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": "1000", "WATCHDOG_PID": str(os.getppid())},
    ):
        manager = SystemdNotices(why_not_alive, environ)
        manager.start()
        await manager.close()


@pytest.mark.parametrize("given", ["30s", "-1", "1e6", 5000 * "1"])
async def test_a_watchdog_time_that_is_no_number_is_passed_over_with_a_warning(
    systemd: Systemd, given: str
) -> None:
    async def why_not_alive() -> str | None:
        raise AssertionError("nobody has asked")

    with capture_logs() as logs:
        notices = SystemdNotices(why_not_alive, systemd.environment() | {"WATCHDOG_USEC": given})
        notices.start()
        assert systemd.hears("READY=1")
        await notices.close()

    assert [one["log_level"] for one in logs] == ["warning"]
    assert systemd.hears("STOPPING=1")
