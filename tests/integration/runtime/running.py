"""Running a consumer as a real process, and putting events on its stream."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from redis.asyncio import Redis
from uuid_utils import uuid7

from consumers import Consumer
from consumers.runtime.consumer_process import run
from consumers.runtime.consumer_set import ConsumerSet
from gateway.contract import CloudEvent, CommentData, CommentEvent, encode_event, source_of
from gateway.settings import ConsumersSettings, RedisSettings, Settings
from tests.support.starting import finished


def comment_event(comment_id: int, *, event_id: str | None = None) -> CommentEvent:
    return CommentEvent(
        id=event_id or str(uuid7()),
        source=source_of("portal"),
        type="bitrix24.crm.timeline.comment.updated",
        subject=f"comment/{comment_id}",
        time="2025-12-18T08:18:53Z",
        receivedat="2025-12-18T08:18:53.412Z",
        data=CommentData(comment_id=comment_id, member_id="portal", domain="acme.bitrix24.com"),
    )


async def publish(redis: Redis, key: str, events: Sequence[CloudEvent]) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for event in events:
            pipeline.xadd(key, {"event": encode_event(event)})
        await pipeline.execute()


async def gateway(url: str, *arguments: str, **environ: str) -> str:
    """What a command of the gateway prints; a process, since consumers log in this one."""
    done = await finished(
        (sys.executable, "-m", "gateway", *arguments),
        environment=os.environ | {"GATEWAY_REDIS_URL": url} | environ,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@asynccontextmanager
async def running(
    consumer: Consumer | ConsumerSet,
    url: str,
    *,
    partitions: int = 1,
    lease_s: float = 2.0,
    port: int = 0,
    stuck_s: float = 300.0,
) -> AsyncIterator[asyncio.Task[None]]:
    """The runtime within the test; on leaving it is stopped as by SIGTERM."""
    settings = Settings(
        redis=RedisSettings(url=url, partitions=partitions),
        consumers=ConsumersSettings(lease_s=lease_s, port=port, stuck_s=stuck_s),
    )
    stop = asyncio.Event()
    task = asyncio.create_task(run(consumer, settings, stop))
    try:
        yield task
    finally:
        stop.set()
        await task


async def settled(redis: Redis, key: str, group: str) -> bool:
    """Whether the group has read everything and nothing is pending."""
    for row in await redis.xinfo_groups(key):
        if row["name"] == group.encode():
            info: Any = await redis.xinfo_stream(key)
            is_at_end = row["last-delivered-id"] == info["last-generated-id"]
            return bool(is_at_end and row["pending"] == 0)
    return False
