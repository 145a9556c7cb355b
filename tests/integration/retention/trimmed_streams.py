"""A stream with old entries and groups, and retention at work on it."""

from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.contract import Streams
from gateway.retention.keeper import Retention
from gateway.settings import RetentionSettings

STREAMS = Streams()


KEY = STREAMS.key("events", 0)


OLD = 1_700_000_000_000  # years ago


SIZE = 2000  # bytes: two entries fill a node of the stream, and whole nodes are trimmed


async def add(redis: Redis, count: int, *, first: int = 1) -> None:
    for number in range(first, first + count):
        await redis.xadd(KEY, {"event": b"x" * SIZE}, id=f"{OLD + number}-0")


async def read(redis: Redis, group: str, count: int, *, acknowledged: int | None = None) -> None:
    """Deliver so many entries to a group, and acknowledge the first so many of them, or all."""
    replies: Any = await redis.xreadgroup(group, "c", {KEY: ">"}, count=count)
    ids = [entry_id for entry_id, _ in replies[KEY.encode()]]
    if done := ids[:acknowledged]:
        await redis.xack(KEY, group, *done)


def retention(redis: Redis, **settings: Any) -> Retention:
    return Retention(redis, STREAMS, RetentionSettings(**settings))


def counted(name: str, **labels: str) -> float:
    labels = {"stream": "events", "partition": "0"} | labels
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def looked(retention: Retention) -> list[Any]:
    """What is said in the course of one look, but for the test server's own weaknesses."""
    with capture_logs() as logs:
        await retention.look_once()
    return [line for line in logs if line["event"] != "redis can lose events"]


@pytest.fixture
async def groups(redis: Redis) -> None:
    await add(redis, 40)
    for group in ("fast", "slow"):
        await redis.xgroup_create(KEY, group, "0")
