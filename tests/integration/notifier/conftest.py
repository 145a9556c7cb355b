"""A target, and the route to it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.integration.notifier.desk import Desk
from tests.integration.notifier.sinks import HttpSink, http_sink


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as listening:
        yield listening


def route(*urls: str, **options: Any) -> dict[str, Any]:
    body = "{{ comment.id }} {{ event.action }} x{{ count }}"
    return {"urls": urls, "window_s": 0.0, "timeout_s": 1.0, "body": body} | options


async def resume(redis: Redis, desk: Desk) -> None:
    """Let the pauses of all targets end."""
    for key in await redis.keys("*:pause"):
        await redis.delete(key)
    desk.now_ms += 600_000
