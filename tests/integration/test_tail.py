"""`gateway tail` as a process, on a real server."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.contract import encode_event
from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, publish
from tests.support.eventually import eventually

Tail = Callable[..., Coroutine[Any, Any, Process]]


@asynccontextmanager
async def tail_process(url: str, *arguments: str, **environ: str) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "tail", *arguments),
        env=os.environ | {"GATEWAY_REDIS_URL": url} | environ,
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def tail(redis_url: str) -> AsyncIterator[Tail]:
    async with AsyncExitStack() as stack:

        async def start(*arguments: str, **environ: str) -> Process:
            return await stack.enter_async_context(tail_process(redis_url, *arguments, **environ))

        yield start


async def line(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(20):
        return (await process.stdout.readline()).decode().rstrip("\n")


async def blocked_readers(redis: Redis) -> int:
    return int((await redis.info("clients"))["blocked_clients"])


async def is_reading(redis: Redis) -> bool:
    return await blocked_readers(redis) == 1


async def test_new_entries_of_all_partitions_come_one_a_line(redis: Redis, tail: Tail) -> None:
    await publish(redis, "b24:events:{0}", [comment_event(1)])
    process = await tail("--count", "3", GATEWAY_REDIS_PARTITIONS="2")
    await eventually(lambda: is_reading(redis))

    await publish(redis, "b24:events:{0}", [comment_event(2)])
    await publish(redis, "b24:events:{1}", [comment_event(3), comment_event(4)])

    assert [(await line(process)).split("  ")[2] for _ in range(3)] == [
        "comment/2",
        "comment/3",
        "comment/4",
    ]
    assert await process.wait() == 0


async def test_since_shows_old_entries_first_and_filters_apply(redis: Redis, tail: Tail) -> None:
    await publish(redis, "b24:events:{0}", [comment_event(1), comment_event(2, event_id="two")])

    process = await tail("--since", "1h", "--event", "two", "--json", "--count", "1")

    told = json.loads(await line(process))
    assert told["event"]["subject"] == "comment/2"
    assert await process.wait() == 0


async def test_dead_letters_can_be_followed(redis: Redis, tail: Tail) -> None:
    process = await tail("--stream", "dead:notifier", "--count", "1")
    await eventually(lambda: is_reading(redis))

    letter: dict[Any, Any] = {"event": encode_event(comment_event(5))}
    letter |= {"group": "notifier", "attempts": 3}
    letter |= {"reason": "failed", "error": "no answer", "failed_at": "2025-12-18T08:19:00Z"}
    await redis.xadd("b24:dead:notifier:{0}", letter)

    assert (await line(process)).endswith("dead in notifier after 3 attempts: failed: no answer")


async def test_nothing_is_consumed_or_written(redis: Redis, tail: Tail) -> None:
    process = await tail("--since", "1h", "--count", "1")
    await eventually(lambda: is_reading(redis))
    await publish(redis, "b24:events:{0}", [comment_event(1)])
    await line(process)

    assert await redis.keys() == [b"b24:events:{0}"]
    assert await redis.xinfo_groups("b24:events:{0}") == []


async def test_a_restart_of_redis_is_told_and_nothing_is_skipped(own_server: RedisServer) -> None:
    async with (
        connections.control(own_server.url) as redis,
        tail_process(own_server.url, "--count", "2") as process,
    ):
        await eventually(lambda: is_reading(redis))
        await publish(redis, "b24:events:{0}", [comment_event(1)])
        assert "comment/1" in await line(process)

        own_server.stop()
        assert process.stderr is not None
        async with asyncio.timeout(20):
            assert (await process.stderr.readline()).startswith(b"tail: Redis is away")
        own_server.start()
        await publish(redis, "b24:events:{0}", [comment_event(2)])

        assert "comment/2" in await line(process)
        assert await process.stderr.readline() == b"tail: Redis is back\n"
        assert await process.wait() == 0


async def test_ctrl_c_ends_it_quietly(redis: Redis, tail: Tail) -> None:
    process = await tail()
    await eventually(lambda: is_reading(redis))

    process.send_signal(signal.SIGINT)

    assert await process.communicate() == (b"", b"")
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--stream", "nonsense"), b"must be events, comments or dead:<group>"),
        (("--since", "yesterday"), b"yesterday: neither a time ago"),
    ],
)
async def test_a_wrong_argument_is_named(
    tail: Tail, arguments: tuple[str, ...], said: bytes
) -> None:
    process = await tail(*arguments)

    _, told = await process.communicate()
    assert process.returncode == 2
    assert said in b" ".join(told.split())


async def test_a_key_that_is_no_stream_is_one_line(redis: Redis, tail: Tail) -> None:
    await redis.set("b24:events:{0}", "x")

    process = await tail()

    _, told = await process.communicate()
    assert process.returncode == 2
    assert told.startswith(b"gateway: Redis refuses to read b24:events:{0}: ")
    assert len(told.splitlines()) == 1
