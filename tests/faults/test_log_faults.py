"""The log cannot be written, while Redis goes and comes back: no event is lost, nobody is deaf."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import aiohttp
import pytest

from gateway.local.server import RedisServer
from tests.faults.ledger import account_of
from tests.faults.load import Load
from tests.faults.receiver import Receiver
from tests.faults.stage import entries_on

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_FORGED = b"event=ONCRMTIMELINECOMMENTADD&auth[member_id]=nobody&auth[application_token]=none"


class Broken:
    """A standard error that is well, and is not any more from `breaks` on."""

    def __init__(
        self, descriptor: int, breaks: Callable[[], None] = lambda: None, *, drops: bool = True
    ) -> None:
        self.descriptor = descriptor
        self.breaks = breaks
        self.drops = drops  # else lines wait


@pytest.fixture(params=["dead reader", "no reader", "full disk", "/dev/full"])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broken]:
    if request.param == "full disk":
        directory = tmp_path / "small"
        directory.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(directory)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("no file system can be mounted here")
        log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        yield Broken(log, lambda: _fill(directory / "filler"))
        os.close(log)
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
        return
    if request.param == "/dev/full":
        full = os.open("/dev/full", os.O_WRONLY)
        yield Broken(full)
        os.close(full)
        return
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    if request.param == "dead reader":
        yield Broken(writing, lambda: os.close(reading))
    else:
        yield Broken(writing, drops=False)
    for descriptor in (reading, writing):
        with suppress(OSError):
            os.close(descriptor)


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(b"x" * 4096)


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_receiver_whose_log_cannot_be_written_does_all_else(
    broken: Broken, own_server: RedisServer, tmp_path: Path, workers: int
) -> None:
    receiver = Receiver(
        tmp_path,
        own_server.url,
        spool=tmp_path / "spool",
        settings={
            "REDIS_PARTITIONS": "2",  # as many as the account looks at
            "HTTP_WORKERS": str(workers),
            "HTTP_GRACE_S": "10",
            "LOG_LEVEL": "debug",
        },
        log=broken.descriptor,
    )
    await receiver.start()
    broken.breaks()
    async with aiohttp.ClientSession() as session:
        async with Load([receiver.port], rate=100) as load:
            await load.until_answered_from("stream", timeout_s=20)
            for _ in range(100):  # more lines than the pipe holds
                assert await _forged(session, receiver) == 403
            own_server.kill()
            await load.until_answered_from("spool", timeout_s=20)
            for name in ("readyz", "healthz"):
                assert await _probe(session, receiver, name) == 200
            own_server.start()
            await load.until_answered_from("stream", timeout_s=60)
        for name in ("readyz", "healthz"):
            assert await _probe(session, receiver, name) == 200
    dropped = sum(
        float(line.split()[-1])
        for line in await receiver.metrics()
        if line.startswith("b24gw_log_lines_dropped_total")
    )
    assert dropped > 0 or not broken.drops
    assert await receiver.stop() == 0

    account = account_of(load.deliveries, await entries_on(own_server))
    assert account.accepted > 0
    assert account.spooled > 0
    assert account.lost == account.duplicated == account.refused == account.unanswered == 0


async def _forged(session: aiohttp.ClientSession, receiver: Receiver) -> int:
    url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
    async with session.post(url, data=_FORGED, headers=_FORM) as response:
        return response.status


async def _probe(session: aiohttp.ClientSession, receiver: Receiver, name: str) -> int:
    async with session.get(f"http://127.0.0.1:{receiver.admin_port}/{name}") as response:
        return response.status
