"""What a consumer asks of the server while nothing happens."""

import asyncio
import time
from typing import Any

import pytest
from redis.asyncio import Redis

from consumers import CommentEvent, Consumer
from gateway.contract import Streams
from tests.integration.runtime.running import comment_event, publish, running, settled
from tests.support.eventually import eventually

_WATCHED_S = 4.0


@pytest.mark.parametrize("partitions", [1, 8])
async def test_an_idle_process_sends_at_most_five_commands_a_second(
    redis: Redis, redis_url: str, partitions: int
) -> None:
    keys = Streams(partitions=partitions).keys("events")
    app = Consumer(group="index", stream="events")

    @app.on("*")
    async def handle(event: CommentEvent) -> None: ...

    for key in keys:
        await publish(redis, key, [comment_event(1)])
    async with running(app, redis_url, partitions=partitions, lease_s=6):

        async def are_settled() -> bool:
            return all([await settled(redis, key, "index") for key in keys])

        await eventually(are_settled)
        sent = await commands_sent(redis, _WATCHED_S)

    assert len(sent) <= 5 * _WATCHED_S, sent
    assert len(sent) > _WATCHED_S / 2  # the watch saw the process live


async def commands_sent(redis: Redis, seconds: float) -> list[str]:
    """The commands that clients send in that time; those of scripts are the server's own."""
    sent: list[str] = []
    ends = time.monotonic() + seconds
    async with redis.monitor() as monitor:
        while (rest_s := ends - time.monotonic()) > 0:
            try:
                async with asyncio.timeout(rest_s):
                    command: Any = await monitor.next_command()
            except TimeoutError:
                break
            if command["client_type"] != "lua":
                sent.append(command["command"].split(" ", 1)[0])
    return sent
