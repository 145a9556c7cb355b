"""How far a group is, also where the server's own number is missing or wrong."""

import asyncio
import json
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from structlog.testing import capture_logs

from consumers import CommentEvent, Consumer
from consumers.runtime.consumer_process import run
from consumers.runtime.lua_scripts import Inspection, Scripts
from gateway import settings
from gateway.local.redis_server import RedisServer, ServerBinary, free_port
from gateway.redis_access import connections
from tests.integration.runtime.probes import get, is_answered
from tests.integration.runtime.running import comment_event, gateway, publish, running, settled
from tests.support.eventually import eventually

KEY = "b24:events:{0}"


async def standing(url: str, group: str) -> dict[str, Any]:
    rows = map(json.loads, (await gateway(url, "groups", "--json")).splitlines())
    (found,) = [row for row in rows if row["group"] == group]
    return dict(found)


async def ids(redis: Redis) -> list[bytes]:
    entries: Any = await redis.xrange(KEY)
    return [entry_id for entry_id, _fields in entries]


def consumer() -> tuple[Consumer, asyncio.Event]:
    """One whose handlers return when the event is set."""
    app = Consumer(group="index", stream="events", concurrency=1)
    released = asyncio.Event()

    @app.on("*")
    async def handle(event: CommentEvent) -> None:
        await released.wait()

    return app, released


async def test_groups_shows_lag_pending_and_owner(redis: Redis, redis_url: str) -> None:
    app, released = consumer()
    await publish(redis, KEY, [comment_event(1), comment_event(2)])
    await redis.xgroup_create(KEY, "other", "0")
    async with running(app, redis_url):

        async def pending() -> bool:
            return (await redis.xpending(KEY, "index"))["pending"] == 2  # type: ignore[no-any-return]

        async def has_group() -> bool:
            return len(await redis.xinfo_groups(KEY)) == 2

        await eventually(has_group)
        await eventually(pending)
        lines = (await gateway(redis_url, "groups", "--json")).splitlines()
        released.set()
    rows = {row["group"]: row for row in map(json.loads, lines)}

    assert (rows["index"]["lag"], rows["index"]["pending"]) == (0, 2)
    assert rows["index"]["owner"]
    assert (rows["other"]["lag"], rows["other"]["owner"]) == (2, None)


async def test_groups_counts_what_is_left_where_redis_cannot_tell(
    redis: Redis, redis_url: str
) -> None:
    await publish(redis, KEY, [comment_event(number + 1) for number in range(1200)])
    all_ids = await ids(redis)
    await redis.xgroup_create(KEY, "middle", all_ids[99])
    await redis.xdel(KEY, all_ids[600])
    (told,) = await redis.xinfo_groups(KEY)

    assert told["lag"] is None
    assert (await standing(redis_url, "middle"))["lag"] == 1099


async def test_groups_counts_right_after_a_trim(redis: Redis, redis_url: str) -> None:
    await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
    await redis.xgroup_create(KEY, "behind", "0")
    await redis.xreadgroup("behind", "owner", {KEY: ">"}, count=3)
    await redis.xtrim(KEY, maxlen=2, approximate=False)

    assert (await standing(redis_url, "behind"))["lag"] == 2


async def test_groups_counts_right_after_a_trim_past_what_was_read_and_a_read(
    redis: Redis, redis_url: str
) -> None:
    await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
    await redis.xgroup_create(KEY, "behind", "0")
    await redis.xreadgroup("behind", "owner", {KEY: ">"}, count=3)
    await redis.xtrim(KEY, maxlen=4, approximate=False)
    await redis.xreadgroup("behind", "owner", {KEY: ">"}, count=1)

    assert (await standing(redis_url, "behind"))["lag"] == 3


async def test_groups_counts_right_after_a_restart(own_server: RedisServer) -> None:
    async with connections.control(own_server.url) as redis:
        await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
        await redis.xgroup_create(KEY, "behind", "0")
        await redis.xreadgroup("behind", "owner", {KEY: ">"}, count=8)
    own_server.kill()
    own_server.start()

    assert (await standing(own_server.url, "behind"))["lag"] == 2


async def test_a_consumer_tells_its_lag_where_redis_cannot(redis: Redis, redis_url: str) -> None:
    app, released = consumer()
    await publish(redis, KEY, [comment_event(number + 1) for number in range(3000)])
    all_ids = await ids(redis)
    await redis.xgroup_create(KEY, "index", all_ids[99])
    await redis.xdel(KEY, all_ids[2900])
    port = free_port()
    stop = asyncio.Event()
    task = asyncio.create_task(
        run(
            app,
            settings.Settings(
                redis=settings.RedisSettings(url=redis_url),
                consumers=settings.ConsumersSettings(port=port, lease_s=2.0),
            ),
            stop,
        )
    )

    async def is_told() -> bool:
        try:
            _status, text = await get(port, "/metrics")
        except OSError:
            return False
        return 'b24_consumer_lag{group="index",partition="0"} 2899.0' in text

    await eventually(is_told)
    released.set()
    stop.set()
    await task


def losses(lines: list[Any]) -> list[int]:
    told = "entries were trimmed or deleted before the group had read them"
    return [line["entries"] for line in lines if line["event"] == told]


async def test_what_was_trimmed_unread_is_told_once(
    redis: Redis, redis_url: str, server_binary: ServerBinary
) -> None:
    app, _released = consumer()
    await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
    await redis.xgroup_create(KEY, "index", "0")
    await redis.xreadgroup("index", "owner", {KEY: ">"}, count=3, noack=True)
    await redis.xtrim(KEY, maxlen=0, approximate=False)
    port = free_port()

    async def is_read() -> bool:
        return await is_answered(port, "/readyz", 200)

    async def has_begun_anew() -> bool:
        errors = 'b24_consumer_read_errors_total{group="index"} 1.0'
        return errors in (await get(port, "/metrics"))[1] and await is_read()

    with capture_logs() as lines:
        for _ in range(2):  # two owners, one after the other
            async with running(app, redis_url, port=port):
                await eventually(is_read)
                await redis.client_kill_filter(_type="normal", skipme=True)
                await eventually(has_begun_anew)

    # Redis 7.0 forgets what a group has read, so that only what an owner sees can be told.
    assert losses(lines) == ([] if server_binary.version < (7, 4) else [7])


@pytest.mark.parametrize("owners", [1, 2], ids=["same owner", "next owner"])
async def test_what_was_trimmed_unread_is_told_though_redis_fails_while_it_is_found_out(
    redis: Redis,
    redis_url: str,
    server_binary: ServerBinary,
    monkeypatch: pytest.MonkeyPatch,
    owners: int,
) -> None:
    if server_binary.version < (7, 4):
        pytest.skip("Redis before 7.4 forgets what a group has read")
    app, _released = consumer()
    await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
    await redis.xgroup_create(KEY, "index", "0")
    await redis.xreadgroup("index", "owner", {KEY: ">"}, count=3, noack=True)
    await redis.xtrim(KEY, maxlen=0, approximate=False)
    asked: list[str] = []

    async def fail(_scripts: Scripts, keys: tuple[str, ...], *, group: str) -> Inspection:
        asked.append(group)
        if owners == 1:
            monkeypatch.undo()
        raise RedisConnectionError

    monkeypatch.setattr(Scripts, "inspect", fail)
    with capture_logs() as lines:
        async with running(app, redis_url):
            await eventually(lambda: bool(asked if owners == 2 else losses(lines)))
        if owners == 2:
            monkeypatch.undo()
            async with running(app, redis_url):
                await eventually(lambda: bool(losses(lines)))

    assert losses(lines) == [7]


async def test_a_restart_of_the_server_loses_nothing_in_the_account(
    own_server: RedisServer,
) -> None:
    app, released = consumer()
    released.set()
    async with connections.control(own_server.url) as redis:
        await publish(redis, KEY, [comment_event(number + 1) for number in range(150)])
        async with running(app, own_server.url):
            await eventually(lambda: settled(redis, KEY, "index"))
        await publish(redis, KEY, [comment_event(number + 1) for number in range(10)])
        own_server.kill()
        own_server.start()
        with capture_logs() as lines:
            async with running(app, own_server.url):
                await eventually(lambda: settled(redis, KEY, "index"))

    assert losses(lines) == []
