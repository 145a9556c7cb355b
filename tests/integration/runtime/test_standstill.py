"""A handler that blocks the event loop, and what is said of it."""

import time

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer
from gateway.local.redis_server import free_port
from tests.integration.runtime.probes import get, is_answered
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.eventually import eventually

KEY = "b24:events:{0}"


async def test_a_handler_that_blocks_is_named_and_redis_is_not_blamed(
    redis: Redis, redis_url: str
) -> None:
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def block(event: CommentEvent) -> None:
        # With a lease of 2 s a read blocks for up to one, and its reply is waited for five.
        time.sleep(6 if event.data.comment_id == 7 else 0)  # noqa: ASYNC251 - the mistake

    port = free_port()
    with capture_logs() as lines:
        async with running(app, redis_url, port=port):
            await eventually(lambda: is_answered(port, "/readyz", 200))
            await publish(redis, KEY, [comment_event(7)])
            await eventually(lambda: settled(redis, KEY, "index"), timeout_s=30)
            await publish(redis, KEY, [comment_event(8)])
            await eventually(lambda: settled(redis, KEY, "index"))
            text = (await get(port, "/metrics"))[1]

    (told,) = [line for line in lines if line["event"] == "the event loop stood still"]
    assert told["seconds"] == pytest.approx(6, abs=1.5)
    assert told["handler"].endswith("block")
    assert told["line"].startswith(__file__)
    assert "asyncio.to_thread" in told["what_to_do"]
    assert "reading failed" not in {line["event"] for line in lines}
    assert "leases wait for Redis" not in {line["event"] for line in lines}
    (value,) = [
        line.split()[1]
        for line in text.splitlines()
        if line.startswith("b24_consumer_standstill_seconds_total{")
    ]
    assert float(value) == pytest.approx(6, abs=1.5)


async def test_what_is_handled_is_told(redis: Redis, redis_url: str) -> None:
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        pass

    event = comment_event(7)
    await publish(redis, KEY, [event])
    with capture_logs() as lines:
        async with running(app, redis_url):
            await eventually(lambda: settled(redis, KEY, "index"))

    (line,) = [line for line in lines if line["event"] == "handled and acknowledged"]
    assert (line["event_id"], line["log_level"]) == (event.id, "debug")
