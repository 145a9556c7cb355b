"""A console, and what it has to show."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.integration.runtime.running import comment_event, publish
from tests.support.console_stage import EVENTS, ConsoleClient, dead_letter, open_console


@pytest.fixture
async def client(redis: Redis, redis_url: str, tmp_path: Path) -> AsyncIterator[ConsoleClient]:
    """Looks at ten events, of which the group `index` has taken three, and two dead letters."""
    await publish(redis, EVENTS, [comment_event(number) for number in range(1, 11)])
    await redis.xgroup_create(EVENTS, "index", "0")
    await redis.xreadgroup("index", "one", {EVENTS: ">"}, count=3)
    for number in (1, 2):
        await dead_letter(redis, comment_event(number))
    async with open_console(tmp_path, redis_url) as one:
        yield one
