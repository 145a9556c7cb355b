"""`gateway tail` as a process, on a real server."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.contract import encode_event
from gateway.local.redis_server import RedisServer
from gateway.missed_events.recovered_event import recovered_id
from gateway.redis_access import connections
from tests.integration.commands.tail_process import TailProcess
from tests.integration.runtime.running import comment_event, publish
from tests.support.eventually import eventually

Tail = Callable[..., TailProcess]


@pytest.fixture
def tail(redis_url: str, tmp_path: Path) -> Iterator[Tail]:
    with ExitStack() as stack:
        yield lambda *arguments, **environ: stack.enter_context(
            TailProcess(tmp_path, redis_url, *arguments, **environ)
        )


async def blocked_readers(redis: Redis) -> int:
    return int((await redis.info("clients"))["blocked_clients"])


async def is_reading(redis: Redis) -> bool:
    return await blocked_readers(redis) == 1


async def test_new_entries_of_all_partitions_come_one_a_line(redis: Redis, tail: Tail) -> None:
    await publish(redis, "b24:events:{0}", [comment_event(1)])
    process = tail("--count", "3", GATEWAY_REDIS_PARTITIONS="2")
    await eventually(lambda: is_reading(redis))

    await publish(redis, "b24:events:{0}", [comment_event(2)])
    await publish(redis, "b24:events:{1}", [comment_event(3), comment_event(4)])

    assert [(await process.line()).split("  ")[2] for _ in range(3)] == [
        "comment/2",
        "comment/3",
        "comment/4",
    ]
    assert await process.ended() == 0


async def test_since_shows_old_entries_first_and_filters_apply(redis: Redis, tail: Tail) -> None:
    await publish(redis, "b24:events:{0}", [comment_event(1), comment_event(2, event_id="two")])

    process = tail("--since", "1h", "--event", "two", "--json", "--count", "1")

    told = json.loads(await process.line())
    assert told["event"]["subject"] == "comment/2"
    assert await process.ended() == 0


async def test_an_event_is_looked_for_from_the_time_in_its_id_on(redis: Redis, tail: Tail) -> None:
    received_at = datetime.now(UTC) - timedelta(hours=1)
    event_id = recovered_id(received_at.timestamp(), "portal")
    for minutes, subject in ((-2.0, 1), (-0.5, 2), (30.0, 3)):
        at_ms = int((received_at + timedelta(minutes=minutes)).timestamp() * 1000)
        event = encode_event(comment_event(subject, event_id=event_id))
        await redis.xadd("b24:events:{0}", {"event": event}, id=f"{at_ms}-0")
        await redis.xadd(
            "b24:events:{0}", {"event": encode_event(comment_event(9))}, id=f"{at_ms}-1"
        )

    process = tail("--since", "1d", "--event", event_id, "--json", "--count", "2")

    told = [json.loads(await process.line())["event"]["subject"] for _ in range(2)]
    assert told == ["comment/2", "comment/3"]
    assert await process.ended() == 0


async def test_an_event_that_is_not_there_is_told_and_one_that_is_there_needs_no_count(
    redis: Redis, tail: Tail
) -> None:
    here, other = comment_event(1), comment_event(2)
    for _ in range(2):
        await publish(redis, "b24:events:{0}", [here])
    await redis.xdel("b24:events:{0}", (await redis.xrevrange("b24:events:{0}", count=1))[0][0])  # type: ignore[index, arg-type]

    found = tail("--event", here.id)
    assert "comment/1" in await found.line()
    assert await found.ended() == 0

    lost = tail("--event", other.id, GATEWAY_REDIS_PARTITIONS="2")
    assert await lost.ended() == 1
    assert f"tail: {other.id} is not on events from " in lost.errors
    assert f"gateway explain {other.id}" in lost.errors

    timeless = tail("--event", "two")
    assert await timeless.ended() == 2


async def test_dead_letters_can_be_followed(redis: Redis, tail: Tail) -> None:
    process = tail("--stream", "dead:notifier", "--count", "1")
    await eventually(lambda: is_reading(redis))

    letter: dict[Any, Any] = {"event": encode_event(comment_event(5))}
    letter |= {"group": "notifier", "attempts": 3}
    letter |= {"reason": "failed", "error": "no answer", "failed_at": "2025-12-18T08:19:00Z"}
    await redis.xadd("b24:dead:notifier:{0}", letter)

    assert (await process.line()).endswith("dead in notifier after 3 attempts: failed: no answer")


async def test_nothing_is_consumed_or_written(redis: Redis, tail: Tail) -> None:
    process = tail("--since", "1h", "--count", "1")
    await eventually(lambda: is_reading(redis))
    await publish(redis, "b24:events:{0}", [comment_event(1)])
    await process.line()

    assert await redis.keys() == [b"b24:events:{0}"]
    assert await redis.xinfo_groups("b24:events:{0}") == []


async def test_a_restart_of_redis_is_told_and_nothing_is_skipped(
    own_server: RedisServer, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        redis = await stack.enter_async_context(connections.control(own_server.url))
        process = stack.enter_context(TailProcess(tmp_path, own_server.url, "--count", "2"))
        await eventually(lambda: is_reading(redis))
        await publish(redis, "b24:events:{0}", [comment_event(1)])
        assert "comment/1" in await process.line()

        own_server.stop()
        await eventually(lambda: process.errors.startswith("tail: Redis is away"))
        own_server.start()
        await publish(redis, "b24:events:{0}", [comment_event(2)])

        assert "comment/2" in await process.line()
        await eventually(lambda: process.errors.endswith("\ntail: Redis is back\n"))
        assert len(process.errors.splitlines()) == 2
        assert await process.ended() == 0


async def test_ctrl_c_ends_it_quietly(redis: Redis, tail: Tail) -> None:
    process = tail()
    await eventually(lambda: is_reading(redis))

    process.send(signal.SIGINT)

    assert await process.ended() == 0
    assert (process.log, process.errors) == ("", "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--stream", "nonsense"), "must be events, comments or dead:<group>"),
        (("--since", "yesterday"), "yesterday: neither a time ago"),
    ],
)
async def test_a_wrong_argument_is_named(tail: Tail, arguments: tuple[str, ...], said: str) -> None:
    process = tail(*arguments)

    assert await process.ended() == 2
    assert said in " ".join(process.errors.split())


async def test_a_key_that_is_no_stream_is_one_line(redis: Redis, tail: Tail) -> None:
    await redis.set("b24:events:{0}", "x")

    process = tail()

    assert await process.ended() == 2
    told = process.errors
    assert told.startswith("gateway: Redis refuses to read b24:events:{0}: ")
    assert len(told.splitlines()) == 1
