"""The clock of the whole machine is hours ahead for a while, and is put right again."""

import asyncio

import pytest

from gateway.redis_access import connections
from tests.faults.clock import Clock
from tests.faults.sink import GROUP, SERVICE, Sink
from tests.support.server_matrix import NotHere
from tests.support.stage import Stage, entries_on


@pytest.mark.short
async def test_the_clock_was_three_hours_ahead(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis, the receiver and the consumers have the same clock, as on one machine."""
    try:
        clock = Clock(stage.directory)
    except NotHere as reason:
        pytest.skip(f"not available here: {reason}")
    for name, value in clock.environment.items():
        monkeypatch.setenv(name, value)
    server = stage.server()
    sink = Sink(stage.directory)
    receiver = await stage.receiver(server.url)
    stage.worker(SERVICE, server.url, sink.environment)
    stage.worker("enricher", server.url, {})
    stage.worker("audit", server.url, {"GATEWAY_AUDIT_DIR": str(stage.directory / "audit")})
    async with stage.load(receiver, rate=60) as load:
        await load.until_answered_from("stream", timeout_s=10)
        clock.set(3 * 3600)
        await asyncio.sleep(stage.span(short=3, full=8))
        clock.set(0)
        await asyncio.sleep(stage.span(short=3, full=8))
        await load.until_answered_from("stream", timeout_s=10)
    for group in (GROUP, "enricher", "audit"):
        await stage.until_consumed(server.url, group)
    stored = [entry.event_id for stream in await entries_on(server.url) for entry in stream]
    async with connections.control(server.url) as redis:
        outputs = [await redis.xlen(f"b24:comments:{{{number}}}") for number in range(2)]

    account = await stage.settle(load.deliveries, server)

    assert account.refused == account.unanswered == 0
    assert sorted(row.event_id for row in sink.effects()) == sorted(stored)
    assert sum(outputs) == len(stored)
