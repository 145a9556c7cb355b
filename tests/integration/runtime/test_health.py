"""What probes and Prometheus are told by a running consumer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumers import CommentEvent, Consumer
from consumers.runtime.consumer_process import run
from gateway.errors import OperatorError
from gateway.local.redis_server import RedisServer, free_port
from gateway.redis_access import connections
from gateway.settings import ConsumersSettings, RedisSettings, Settings
from tests.integration.runtime.probes import get, is_answered
from tests.integration.runtime.running import comment_event, publish, settled
from tests.support.eventually import eventually

KEY = "b24:events:{0}"


def app_of(max_attempts: int = 1) -> Consumer:
    app = Consumer(group="index", stream="events", max_attempts=max_attempts)

    @app.on("*.updated")
    async def handle(event: CommentEvent) -> None:
        if event.data.comment_id == 3:
            raise KeyError

    return app


@asynccontextmanager
async def serving(
    url: str, *, stuck_s: float = 300.0, app: Consumer | None = None
) -> AsyncIterator[int]:
    port = free_port()
    settings = Settings(
        redis=RedisSettings(url=url),
        consumers=ConsumersSettings(port=port, lease_s=2.0, stuck_s=stuck_s),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(run(app or app_of(), settings, stop))
    try:
        yield port
    finally:
        stop.set()
        await task


async def test_metrics_tell_what_became_of_each_entry(own_server: RedisServer) -> None:
    async with connections.control(own_server.url) as redis:
        await publish(redis, KEY, [comment_event(number) for number in (1, 2, 3)])
        async with serving(own_server.url) as port:
            await eventually(lambda: settled(redis, KEY, "index"))
            await eventually(lambda: is_answered(port, "/readyz", 200))
            _status, text = await get(port, "/metrics")
    values = {
        (sample.name, sample.labels.get("result", "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert values["b24_consumer_events_total", "handled"] == 2
    assert values["b24_consumer_events_total", "dead"] == 1
    assert values["b24_consumer_event_age_seconds_count", ""] == 2
    assert values["b24_consumer_lease_epoch", ""] > 1_700_000_000_000


async def test_without_redis_a_consumer_is_not_ready_and_yet_alive(
    own_server: RedisServer,
) -> None:
    async with serving(own_server.url) as port:
        await eventually(lambda: is_answered(port, "/readyz", 200))
        own_server.kill()
        await eventually(lambda: is_answered(port, "/readyz", 503))
        assert (await get(port, "/healthz"))[0] == 200
        own_server.start()
        await eventually(lambda: is_answered(port, "/readyz", 200))


async def test_a_loop_without_progress_turns_health_red(own_server: RedisServer) -> None:
    async with serving(own_server.url, stuck_s=0.2) as port:  # shorter than a blocking read
        await eventually(lambda: is_answered(port, "/healthz", 503))


@pytest.mark.parametrize("is_raised", [False, True])
async def test_a_service_may_say_that_it_is_not_ready(
    own_server: RedisServer, *, is_raised: bool
) -> None:
    app, reasons = app_of(), ["the index is away"]

    def why_not_ready() -> str | None:
        if reasons and is_raised:
            raise KeyError(*reasons)
        return reasons[0] if reasons else None

    app.why_not_ready = why_not_ready
    async with serving(own_server.url, app=app) as port:
        await eventually(lambda: is_answered(port, "/readyz", 503))
        assert "the index is away" in (await get(port, "/readyz"))[1]
        assert (await get(port, "/healthz"))[0] == 200
        reasons.clear()
        await eventually(lambda: is_answered(port, "/readyz", 200))


async def test_a_port_that_is_taken_stops_the_start(
    own_server: RedisServer, tmp_path: Path
) -> None:
    settings = Settings(
        redis=RedisSettings(url=own_server.url), consumers=ConsumersSettings(port=own_server.port)
    )

    with pytest.raises(OperatorError, match="host and port"):
        await run(app_of(), settings, asyncio.Event())
