"""A receiver of one and of several processes: shared port, deaths, and stops under load."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.drill.delivery_load import FIRST_TS, DeliveryLoad, request_of
from gateway.drill.fault_ledger import FaultAccount, account_of
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from gateway.sandbox.portal import SANDBOX
from gateway.traffic.minute_ranking import MinuteRanking
from tests.support.connections import connected
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver
from tests.support.stage import entries_on
from tests.support.starting import finished_blocking

GRACE_S = 25.0
ONE_AND_TWO = pytest.mark.parametrize("workers", [1, 2])


class Fleet:
    """A receiver on a server of its own."""

    def __init__(self, directory: Path, server: RedisServer) -> None:
        self.directory = directory
        self.server = server
        self.programs = ExitStack()
        self.receiver: Receiver

    async def start(self, workers: int) -> None:
        settings = {
            "REDIS_PARTITIONS": "2",  # as many as the account looks at
            "HTTP_WORKERS": str(workers),
            "HTTP_GRACE_S": str(GRACE_S),
            "LOG_LEVEL": "debug",
        }
        spool = self.directory / "spool"
        receiver = Receiver(self.directory, self.server.url, spool=spool, settings=settings)
        self.receiver = self.programs.enter_context(receiver)
        await self.receiver.start()
        await eventually(lambda: any(line["event"] == "listening" for line in self.lines()))

    def lines(self) -> list[dict[str, Any]]:
        said = self.receiver.log.splitlines()
        return [msgspec.json.decode(line) for line in said if line.startswith("{")]

    def pids(self, worker: str) -> list[int]:
        """The processes that this worker has been, the present one last."""
        return [
            line["pid"]
            for line in self.lines()
            if line["event"] == "worker started" and line["worker"] == worker
        ]

    async def admin(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.receiver.admin_port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.text()

    async def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        _, text = await self.admin("/metrics")
        families = text_string_to_metric_families(text)
        return sum(s.value for family in families for s in family.samples if s.name == name)

    async def account(self, load: DeliveryLoad) -> FaultAccount:
        account = account_of(load.deliveries, await entries_on(self.server.url))
        assert account.accepted > 0
        assert account.lost == account.duplicated == account.out_of_order == 0, account
        assert "Traceback" not in self.receiver.log
        return account


@pytest.fixture
def fleet(tmp_path: Path, own_server: RedisServer) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, own_server)
    with fleet.programs:
        yield fleet


async def test_all_workers_serve_the_port_and_their_metrics_are_added_up(fleet: Fleet) -> None:
    await fleet.start(2)
    async with DeliveryLoad([fleet.receiver.port], rate=400) as load:
        await eventually(
            lambda: (
                {line["process"] for line in fleet.lines() if line["event"] == "batch published"}
                == {"worker-1", "worker-2"}
            )
        )

    account = await fleet.account(load)
    assert await fleet.metric("b24gw_stored_events_total") == account.accepted
    assert await fleet.admin("/healthz") == (200, "alive")
    assert await fleet.admin("/readyz") == (200, "ready")
    assert await fleet.receiver.stop() == 0


async def test_the_busiest_portals_are_shown_once_for_all_workers(fleet: Fleet) -> None:
    minute = int(time.time() // 60)
    async with connections.control(fleet.server.url) as redis:
        for one in (minute - 1, minute, minute + 1):
            await MinuteRanking(redis, prefix="b24").add(
                one, {SANDBOX.member_id: 70, "stranger": 99}
            )
    await fleet.start(2)

    async def is_shown() -> bool:
        return await fleet.metric("b24gw_portal_events_per_minute") == 70

    await eventually(is_shown, timeout_s=30)  # each worker looks every ten seconds
    _, text = await fleet.admin("/metrics?name[]=b24gw_portal_events_per_minute")
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        f'b24gw_portal_events_per_minute{{member_id="{SANDBOX.member_id}"}} 70.0'
    ]


async def test_a_killed_worker_is_started_again_and_nothing_that_was_answered_is_lost(
    fleet: Fleet,
) -> None:
    await fleet.start(2)
    async with DeliveryLoad([fleet.receiver.port], rate=400) as load:
        await load.until_answered_from("stream", timeout_s=10)
        stored = await fleet.metric("b24gw_stored_events_total")
        os.kill(fleet.pids("worker-1")[0], signal.SIGKILL)
        await eventually(lambda: len(fleet.pids("worker-1")) == 2)

        async def both_answer() -> bool:
            return await fleet.admin("/healthz") == (200, "alive")

        await eventually(both_answer)
        await load.until_answered_from("stream", timeout_s=10)

    account = await fleet.account(load)
    assert account.refused == 0
    assert account.unanswered <= 24  # what its connections had under way
    assert await fleet.metric("b24gw_worker_restarts_total") == 1
    assert stored <= await fleet.metric("b24gw_stored_events_total") <= account.stored
    (died,) = [line for line in fleet.lines() if line["event"].startswith("worker ended")]
    assert (died["worker"], died["ended"], died["level"]) == ("worker-1", "SIGKILL", "warning")


async def test_a_worker_that_does_not_answer_is_named_and_makes_the_receiver_not_ready(
    fleet: Fleet,
) -> None:
    await fleet.start(2)
    worker = psutil.Process(fleet.pids("worker-2")[0])
    worker.suspend()
    try:
        answers = await asyncio.gather(fleet.admin("/healthz"), fleet.admin("/readyz"))
    finally:
        worker.resume()
    assert set(answers) == {(503, "worker-2: does not answer")}
    assert await fleet.admin("/healthz") == (200, "alive")


async def test_a_worker_that_is_told_to_stop_leaves_no_request_unanswered(fleet: Fleet) -> None:
    await fleet.start(2)
    async with DeliveryLoad([fleet.receiver.port], rate=400) as load:
        await load.until_answered_from("stream", timeout_s=10)
        for worker in ("worker-1", "worker-2"):
            os.kill(fleet.pids(worker)[0], signal.SIGTERM)
            await eventually(lambda: len(fleet.pids(worker)) == 2)  # noqa: B023 - called in the loop
            await load.until_answered_from("stream", timeout_s=10)

    account = await fleet.account(load)
    assert account.refused == account.unanswered == 0


@ONE_AND_TWO
async def test_a_stop_under_load_answers_what_it_accepted_and_ends_well_in_time(
    fleet: Fleet, workers: int
) -> None:
    await fleet.start(workers)
    async with DeliveryLoad([fleet.receiver.port], rate=400) as load:
        await load.until_everybody_was_answered()  # whoever connects during a stop is refused
        started = time.monotonic()
        code = await fleet.receiver.stop()
        took_s = time.monotonic() - started

    account = await fleet.account(load)
    assert code == 0
    assert took_s < GRACE_S
    assert account.refused == 0
    # A connection that came between the last look at the queue and its end; rarely there is one.
    assert account.unanswered <= 1


async def test_idle_connections_do_not_hold_a_stop(fleet: Fleet) -> None:
    await fleet.start(2)
    async with AsyncExitStack() as stack:
        port = fleet.receiver.port
        streams = [await stack.enter_async_context(connected(port)) for _ in range(4)]
        for _, writer in streams[:2]:
            writer.write(request_of(1, FIRST_TS))
        for reader, _ in streams[:2]:
            await reader.readuntil(b"\r\n\r\nok")
        started = time.monotonic()

        assert await fleet.receiver.stop() == 0

        assert time.monotonic() - started < GRACE_S / 2
        for reader, _ in streams:
            assert await reader.read() == b""


async def test_a_request_on_its_way_is_still_answered_during_a_stop(fleet: Fleet) -> None:
    await fleet.start(1)
    request = request_of(1, FIRST_TS)
    async with connected(fleet.receiver.port) as (reader, writer):
        writer.write(request[:-10])
        await writer.drain()
        # A second connection, answered, shows that the first one's bytes have been read.
        async with aiohttp.ClientSession() as session:
            await session.get(f"http://127.0.0.1:{fleet.receiver.port}/bitrix24/events")
        stopping = asyncio.create_task(fleet.receiver.stop())
        await eventually(lambda: any(line["event"] == "stopping" for line in fleet.lines()))
        writer.write(request[-10:])

        answer = await reader.read()

        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert await stopping == 0


@ONE_AND_TWO
async def test_a_second_signal_ends_everything_at_once(fleet: Fleet, workers: int) -> None:
    await fleet.start(workers)
    async with connected(fleet.receiver.port) as (_, writer):
        writer.write(request_of(1, FIRST_TS)[:-1])  # holds the stop
        await writer.drain()
        pids = [fleet.receiver.pid, *(p.pid for p in psutil.Process(fleet.receiver.pid).children())]
        os.kill(fleet.receiver.pid, signal.SIGTERM)
        await eventually(lambda: any(line["event"] == "stopping" for line in fleet.lines()))
        started = time.monotonic()

        await fleet.receiver.stop()

        assert time.monotonic() - started < GRACE_S / 2
        await eventually(lambda: not any(map(psutil.pid_exists, pids)))


async def test_workers_end_when_their_supervisor_is_killed(fleet: Fleet) -> None:
    await fleet.start(2)
    pids = [fleet.pids("worker-1")[0], fleet.pids("worker-2")[0]]

    fleet.receiver.kill()

    await eventually(lambda: not any(map(psutil.pid_exists, pids)))


async def test_a_port_that_another_receiver_serves_is_not_shared_by_mistake(fleet: Fleet) -> None:
    await fleet.start(2)

    second = serve(fleet.directory, HTTP_WORKERS="2", HTTP_PORT=str(fleet.receiver.port))

    assert second.returncode == 2
    expected = f"gateway: [http] port {fleet.receiver.port} on 127.0.0.1 cannot be used: "
    assert [line for line in second.stderr.splitlines() if line.startswith(expected)]


def test_what_an_operator_has_to_mend_ends_all_workers_with_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    ended = serve(tmp_path, HTTP_WORKERS="2", HTTP_PORT=str(free_port()), SPOOL_DIR="file")

    assert ended.returncode == 2
    assert "gateway: [spool] dir file cannot be used" in ended.stderr


def serve(directory: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Another `gateway serve`, which cannot start."""
    return finished_blocking(
        (sys.executable, "-m", "gateway", "serve"),
        directory=directory,
        environment=os.environ
        | {"GATEWAY_ADMIN_PORT": str(free_port())}
        | {f"GATEWAY_{name}": value for name, value in settings.items()},
    )
