"""Running a consumer as a real process, and putting events on its stream."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from uuid_utils import uuid7

from consumers import Consumer
from consumers.runtime.consumer_process import run
from gateway.contract import CommentData, CommentEvent, encode_event, source_of
from gateway.settings import ConsumersSettings, RedisSettings, Settings


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


async def publish(redis: Redis, key: str, events: list[CommentEvent]) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for event in events:
            pipeline.xadd(key, {"event": encode_event(event)})
        await pipeline.execute()


async def gateway(url: str, *arguments: str, **environ: str) -> str:
    """What a command of the gateway prints; a process, since consumers log in this one."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments),
        env=os.environ | {"GATEWAY_REDIS_URL": url} | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return output.decode()


class ServiceProcess:
    """`consumers run …` as a child process, whose effects are lines of a file."""

    def __init__(self, process: subprocess.Popen[bytes], effects: Path) -> None:
        self.process = process
        self._effects = effects

    def effects(self) -> list[list[str]]:
        """Each effect as its words; a line cut off by a kill is none."""
        if not self._effects.exists():
            return []
        whole, _, _cut = self._effects.read_text().rpartition("\n")
        return [line.split() for line in whole.splitlines()]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        """Stop it as a supervisor does, while what this process serves goes on; the exit code."""
        self.process.terminate()
        return await asyncio.to_thread(self.process.wait, 10)


@contextmanager
def service(
    redis_url: str,
    directory: Path,
    *,
    name: str = "tests.integration.consumers.service:app",
    **environment: str,
) -> Iterator[ServiceProcess]:
    effects = directory / "effects"
    with (directory / f"log-{time.monotonic_ns()}").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "consumers", "run", name],
            env={
                **os.environ,
                "GATEWAY_REDIS_URL": redis_url,
                "SERVICE_EFFECTS": str(effects),
                **environment,
            },
            stderr=log,
        )
    try:
        yield ServiceProcess(process, effects)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@asynccontextmanager
async def running(
    consumer: Consumer,
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
