"""Redis is there and says no: it cannot save, or it is busy with somebody's script."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from redis.exceptions import ResponseError

from gateway.redis_access import connections
from tests.faults.sink import GROUP, SERVICE, Sink
from tests.support.stage import Stage, entries_on


@pytest.mark.short
async def test_redis_cannot_save_and_refuses_every_write(stage: Stage) -> None:
    """MISCONF, for as long as nobody sees to its disk."""
    server = stage.server()
    sink = Sink(stage.directory)
    receiver = await stage.receiver(server.url)
    stage.worker(SERVICE, server.url, sink.environment)
    async with connections.control(server.url) as redis, stage.load(receiver, rate=100) as load:
        await load.until_answered_from("stream", timeout_s=10)
        (server.directory / "dump.rdb").mkdir()
        await redis.config_set("save", "1 1")
        await load.until_answered_from("spool", timeout_s=20)
        await asyncio.sleep(stage.span(short=2, full=8))
        await redis.config_set("save", "")
        await load.until_answered_from("stream", timeout_s=60)
    assert "MISCONF" in receiver.log
    await stage.until_consumed(server.url, GROUP)
    stored = [entry.event_id for stream in await entries_on(server.url) for entry in stream]

    account = await stage.settle(load.deliveries, server)

    assert account.spooled > 0
    assert account.refused == account.unanswered == 0
    assert sorted(row.event_id for row in sink.effects()) >= sorted(stored)


@pytest.mark.short
async def test_redis_is_busy_with_a_script_of_somebody(stage: Stage) -> None:
    """BUSY, until the script is killed."""
    server = stage.server("redis", "--busy-reply-threshold", "100")
    sink = Sink(stage.directory)
    receiver = await stage.receiver(server.url)
    stage.worker(SERVICE, server.url, sink.environment)
    async with (
        connections.control(server.url) as redis,
        connections.control(server.url, timeout_s=60) as script,
        stage.load(receiver, rate=100) as load,
    ):
        await load.until_answered_from("stream", timeout_s=10)
        running = asyncio.create_task(run_for_ever(script))
        await load.until_answered_from("spool", timeout_s=20)
        await asyncio.sleep(stage.span(short=2, full=8))
        await redis.script_kill()
        await running
        await load.until_answered_from("stream", timeout_s=60)
    await stage.until_consumed(server.url, GROUP)
    stored = [entry.event_id for stream in await entries_on(server.url) for entry in stream]

    account = await stage.settle(load.deliveries, server)

    assert account.spooled > 0
    assert account.refused == account.unanswered == 0
    assert sorted(row.event_id for row in sink.effects()) >= sorted(stored)


async def run_for_ever(redis: Any) -> None:
    with suppress(ResponseError):
        await redis.eval("while true do end", 0)
