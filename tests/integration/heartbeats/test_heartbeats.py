"""Processes say in Redis that they run, and how: receivers, reconcile and consumers."""

import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.drill.delivery_load import DeliveryLoad
from gateway.heartbeats.heartbeat import beating
from gateway.heartbeats.process_list import ListedProcess, processes
from gateway.heartbeats.process_report import ProcessReport, instance_id
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.program import Program
from tests.support.receiver_process import receiving
from tests.support.redis_users import rights_of

KEY = "b24:processes"


async def ready(redis: Redis) -> list[ListedProcess]:
    """The processes that say that they are ready."""
    return [one for one in await processes(redis, prefix="b24") if one.report.is_ready]


async def until_ready(redis: Redis, count: int = 1) -> list[ListedProcess]:
    """The processes, once there are so many that are ready."""

    async def found() -> list[ListedProcess]:
        seen = await ready(redis)
        return seen if len(seen) == count else []

    return await eventually(found)


async def test_a_receiver_tells_of_itself_and_of_its_spool(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiving(tmp_path, redis_url) as receiver:
        (one,) = await until_ready(redis)
        report = one.report

        assert (report.role, report.worker, report.pid) == ("receiver", None, receiver.pid)
        assert report.admin == f"127.0.0.1:{receiver.admin_port}"
        assert report.spool is not None
        assert (report.spool.events, report.spool.directory) == (0, str(tmp_path / "spool"))
        assert 0 <= report.at - report.started_at < 120_000
        assert one.heard_s < 15
    assert await redis.exists(KEY) == 0


async def test_each_worker_of_a_receiver_tells_of_itself_and_of_one_spool(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiving(tmp_path, redis_url, {"HTTP_WORKERS": "2"}) as receiver:
        found = await until_ready(redis, 2)

        assert {one.report.worker for one in found} == {"worker-1", "worker-2"}
        assert receiver.pid not in {one.report.pid for one in found}
        assert len({one.report.spool.id for one in found if one.report.spool}) == 1
    assert await redis.exists(KEY) == 0


async def test_a_worker_that_was_killed_is_followed_by_the_one_in_its_place(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    async with receiving(tmp_path, redis_url, {"HTTP_WORKERS": "2"}):
        killed, _ = await until_ready(redis, 2)
        os.kill(killed.report.pid, signal.SIGKILL)

        async def is_followed() -> bool:
            names = {one.id for one in await processes(redis, prefix="b24")}
            return len(names) == 2 and killed.id not in names

        await eventually(is_followed, timeout_s=60)


async def test_a_consumer_says_what_it_owns_and_takes_it_back_at_its_end(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    with service(redis_url, tmp_path, GATEWAY_REDIS_PARTITIONS="2") as process:

        async def owned() -> list[ListedProcess]:
            return [one for one in await ready(redis) if one.report.partitions == (0, 1)]

        (one,) = await eventually(owned)
        report = one.report
        assert (report.role, report.pid, report.stream) == ("consumer", process.pid, "events")
        assert await redis.hget(f"b24:lease:{report.group}:{{0}}", "owner") == one.id.encode()
    assert await redis.exists(KEY) == 0


async def test_reconcile_says_whether_it_leads(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    argv = (sys.executable, "-m", "gateway", "reconcile")
    with Program(
        argv, log_file=tmp_path / "log", environment={"GATEWAY_REDIS_URL": redis_url}
    ) as process:
        process.launch()

        async def leads() -> bool:
            return [one.report.leads for one in await ready(redis)] == [True]

        await eventually(leads)
        assert await process.stop() == 0
    assert await redis.exists(KEY) == 0


async def test_a_process_without_the_right_works_and_says_so_once(
    redis: Redis, users: Any, limited_url: str, tmp_path: Path
) -> None:
    await users(*(one for one in rights_of("receiver") if one != f"~{KEY}"))
    told = "no heartbeat is written"
    async with (
        receiving(tmp_path, limited_url) as receiver,
        DeliveryLoad([receiver.port], rate=50) as load,
    ):
        await load.until_answered_from("stream", timeout_s=10)
        await eventually(lambda: told in receiver.log)
        await users("~*", "+@all")
        await until_ready(redis)
        await eventually(lambda: "heartbeats are written again" in receiver.log)
    assert receiver.log.count(told) == 1


async def test_memory_that_is_short_keeps_no_heartbeat_back(
    redis: Redis, own_server: RedisServer
) -> None:
    async with connections.control(own_server.url) as client:
        await client.set("filler", b"x" * 2_000_000)
        await client.config_set("maxmemory", 1_000_000)
        async with beats(client):
            assert await eventually(lambda: processes(client, prefix="b24"))


async def test_what_a_report_raises_is_told_once_and_harms_nobody(redis: Redis) -> None:
    calls = 0

    async def fails() -> ProcessReport:
        nonlocal calls
        calls += 1
        raise RuntimeError("of whatever kind")

    with capture_logs() as logs:
        async with beating(redis, fails, prefix="b24", instance="it"):
            await eventually(lambda: calls > 1)

    assert [line["log_level"] for line in logs] == ["warning"]


async def test_redis_away_is_passed_over_in_silence_also_at_the_end() -> None:
    client = connections.control(f"redis://127.0.0.1:{free_port()}/0", timeout_s=0.5)
    calls = 0

    async def report() -> ProcessReport:
        nonlocal calls
        calls += 1
        return ProcessReport.of_this_process("receiver", why_not="as an example")

    with capture_logs() as logs:
        async with beating(client, report, prefix="b24", instance="it"):
            await eventually(lambda: calls > 1)
    await client.aclose()

    assert logs == []


@pytest.mark.parametrize("silent_s", [20, 90_000])
async def test_a_new_process_removes_its_killed_predecessor(redis: Redis, silent_s: int) -> None:
    """Only of its own role on its own host; those of others that are silent for a day."""
    now_ms = (await redis.time())[0] * 1000
    template = (
        '{"at":%d,"role":"%s","host":"%s","group":"index","pid":1,"version":"1","is_ready":true}'
    )
    host = ProcessReport.of_this_process("consumer", why_not=None).host
    at = now_ms - silent_s * 1000
    rows = {
        "predecessor": template % (at, "consumer", host),
        "elsewhere": template % (at, "consumer", "elsewhere"),
        "another": template % (at, "receiver", host),
        "living": template % (now_ms - 1000, "consumer", host),
        "unreadable": "[",
    }
    await redis.hset(KEY, mapping=rows)  # type: ignore[arg-type]

    async with beats(redis) as name:
        await eventually(lambda: redis.hexists(KEY, name))
        fields: Any = await redis.hkeys(KEY)
        left = {field.decode() for field in fields}

    others = {"elsewhere", "another"} if silent_s == 20 else set()
    assert left == {"living", name} | others


async def test_heartbeats_are_written_in_a_cluster(cluster_url: str) -> None:
    async with connections.control(cluster_url) as client:
        async with beats(client) as name:
            (one,) = await eventually(lambda: processes(client, prefix="b24"))
            assert one.id == name
        assert await processes(client, prefix="b24") == []


@asynccontextmanager
async def beats(client: Redis) -> AsyncIterator[str]:
    """A consumer's heartbeats, under the name that is given."""

    async def report() -> ProcessReport:
        return ProcessReport.of_this_process("consumer", why_not=None, group="index")

    name = instance_id()
    async with beating(client, report, prefix="b24", instance=name):
        yield name
