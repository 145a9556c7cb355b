"""Learnt portals against a real server: who is added may send, also while Redis is away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.local.redis_server import RedisServer, free_port
from gateway.portals import following
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.portals.disk_copy import DiskCopy
from gateway.portals.following import Follower
from gateway.portals.registry import Reading, Registry
from gateway.redis_access import connections
from tests.support.eventually import eventually

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SETTLED = Portal(member_id="settled", domain="s.example", digests=(digest_of("fake-settled"),))
Followed = Callable[[str], Awaitable[Directory]]


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_LOOK_S", 0.02)


@pytest.fixture
async def followed(tmp_path: Path) -> AsyncIterator[Followed]:
    """Starts followers on one machine, and closes them after the test."""
    async with AsyncExitStack() as stack:

        async def follow(url: str) -> Directory:
            client = connections.control(url, timeout_s=0.5)
            stack.push_async_callback(client.aclose)
            directory = Directory([SETTLED])
            follower = Follower(
                directory, Registry(client, prefix="b24"), DiskCopy(tmp_path, prefix="b24")
            )
            stack.push_async_callback(follower.close)
            await follower.start()
            return directory

        yield follow


def registry_of(client: Redis) -> Registry:
    return Registry(client, prefix="b24")


async def add(client: Redis, member_id: str, token: str, domain: str = "m.example") -> None:
    await registry_of(client).add(member_id, domain, digest_of(token), now=NOW)


async def calls_of(redis: Redis, command: str) -> int:
    stats: Any = await redis.info("commandstats")
    return int(stats.get(f"cmdstat_{command}", {"calls": 0})["calls"])


async def until_it_knows_portals(redis: Redis) -> Reading:
    async def it_knows_some() -> bool:
        return (await registry_of(redis).read()).version is not None

    await eventually(it_knows_some)
    return await registry_of(redis).read()


async def until_asked(redis: Redis, *, times: int) -> None:
    """Wait until a receiver has looked so often since the counts were set to zero."""

    async def is_asked() -> bool:
        return await calls_of(redis, "get") >= times

    await eventually(is_asked)


async def test_who_is_added_may_send_and_who_is_removed_may_not(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    directory = await followed(redis_url)
    assert directory.verify("m1", "fake-old") is None

    await add(redis, "m1", "fake-old")
    await eventually(lambda: directory.verify("m1", "fake-old"))
    await add(redis, "m1", "fake-new")
    await eventually(lambda: directory.verify("m1", "fake-new"))
    assert directory.verify("m1", "fake-old")

    registry = registry_of(redis)
    old = [
        one for one in (await registry.read()).registrations if one.digest == digest_of("fake-old")
    ]
    await registry.remove(old)
    await eventually(lambda: not directory.verify("m1", "fake-old"))
    assert directory.verify("m1", "fake-new")

    await registry.remove((await registry.read()).registrations)
    await eventually(lambda: directory.find("m1") is None)
    assert directory.verify("settled", "fake-settled")


async def test_a_start_knows_the_portals_of_redis_before_the_first_delivery(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await add(redis, "m1", "fake-token")

    directory = await followed(redis_url)

    assert directory.verify("m1", "fake-token")


async def test_many_portals_are_read_a_few_at_a_time(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    directory = await followed(redis_url)
    await redis.config_resetstat()
    await asyncio.gather(*(add(redis, f"m{number}", "fake-token") for number in range(1000)))

    await eventually(lambda: len(directory) == 1001)
    assert await calls_of(redis, "hgetall") == 0
    assert await calls_of(redis, "hscan") >= 3
    in_pages, at_once = await registry_of(redis).read_in_pages(), await registry_of(redis).read()
    assert in_pages.version == at_once.version
    assert sorted(one.member_id for one in in_pages.registrations) == sorted(
        one.member_id for one in at_once.registrations
    )


async def test_two_changes_at_once_do_not_undo_each_other(redis: Redis) -> None:
    await asyncio.gather(*(add(redis, "m1", f"fake-{number}") for number in range(20)))

    assert len((await registry_of(redis).read()).registrations) == 20


async def test_redis_never_sees_a_token(redis: Redis) -> None:
    await add(redis, "m1", "fake-token")

    fields: Any = await redis.hgetall("b24:{portals}")
    assert list(fields) == [f"m1:{digest_of('fake-token').hex()}".encode()]
    assert b"fake-token" not in b"".join(fields.values())


async def test_known_portals_go_on_when_redis_dies_and_new_ones_come_when_it_is_back(
    own_server: RedisServer, followed: Followed
) -> None:
    async with connections.control(own_server.url) as client:
        await add(client, "m1", "fake-token")
        directory = await followed(own_server.url)
        with capture_logs() as logs:
            own_server.kill()
            await eventually(lambda: logs)
            assert directory.verify("m1", "fake-token")
            own_server.start()
            await add(client, "m2", "fake-token-2")
            await eventually(lambda: directory.verify("m2", "fake-token-2"))
    assert directory.verify("m1", "fake-token")
    warnings = [line["event"] for line in logs if line["log_level"] == "warning"]
    assert warnings == ["redis does not tell the registered portals"]


async def test_a_restart_while_redis_is_away_still_knows_the_learnt_portals(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await add(redis, "m1", "fake-token")
    await followed(redis_url)

    directory = await followed(f"redis://127.0.0.1:{free_port()}/0")

    assert directory.verify("m1", "fake-token")
    assert directory.verify("settled", "fake-settled")


async def test_without_redis_and_snapshot_the_settings_portals_are_there_at_once(
    followed: Followed,
) -> None:
    directory = await followed(f"redis://127.0.0.1:{free_port()}/0")

    assert [portal.member_id for portal in directory] == ["settled"]


async def test_a_redis_that_lost_its_data_gets_the_portals_back_before_it_learns_others(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await add(redis, "m1", "fake-token")
    before = await registry_of(redis).read()
    directories = [await followed(redis_url), await followed(redis_url)]

    with capture_logs() as logs:
        await redis.flushall()
        assert (await until_it_knows_portals(redis)).registrations == before.registrations
        await add(redis, "m2", "fake-token-2")
        await eventually(lambda: all(one.verify("m2", "fake-token-2") for one in directories))

    assert all(one.verify("m1", "fake-token") for one in directories)
    assert logs[0]["event"] == "redis had lost the registered portals; they were put back"


async def test_what_was_removed_does_not_come_back_with_the_others(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await add(redis, "m1", "fake-token")
    await add(redis, "m2", "fake-leaked")
    former = await registry_of(redis).read()
    directory = await followed(redis_url)
    await registry_of(redis).remove(one for one in former.registrations if one.member_id == "m2")
    await eventually(lambda: directory.find("m2") is None)

    # A receiver that had been switched off since before the removal is the first to put back.
    await redis.flushall()
    await registry_of(redis).put_back(former)

    async def one_is_left() -> bool:
        return len((await registry_of(redis).read()).registrations) == 1

    await eventually(one_is_left)
    await eventually(lambda: directory.find("m2") is None)
    assert not await registry_of(redis).put_back(former)

    assert directory.verify("m1", "fake-token")
    assert [one.member_id for one in (await registry_of(redis).read()).registrations] == ["m1"]


async def test_a_redis_that_was_told_of_no_portals_any_more_stays_so(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await add(redis, "m1", "fake-token")
    directory = await followed(redis_url)
    await registry_of(redis).remove((await registry_of(redis).read()).registrations)
    await eventually(lambda: directory.find("m1") is None)

    await redis.flushall()

    assert (await until_it_knows_portals(redis)).registrations == ()
    assert directory.find("m1") is None


async def test_what_redis_knows_is_never_replaced(redis: Redis) -> None:
    await add(redis, "m1", "fake-token")
    former = await registry_of(redis).read()
    await add(redis, "m2", "fake-token-2")

    assert not await registry_of(redis).put_back(former)

    assert len((await registry_of(redis).read()).registrations) == 2


async def test_a_redis_that_takes_nothing_back_is_told_once_and_removes_nobody(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await add(redis, "m1", "fake-token")
    directory = await followed(redis_url)
    await redis.config_set("maxmemory", "1")
    try:
        with capture_logs() as logs:
            await redis.flushall()
            await eventually(lambda: logs)
            await redis.config_resetstat()
            await until_asked(redis, times=3)
    finally:
        await redis.config_set("maxmemory", "0")

    assert [line["event"] for line in logs] == ["redis has lost the registered portals"]
    assert directory.verify("m1", "fake-token")
    await until_it_knows_portals(redis)


async def test_a_registration_that_cannot_be_read_lets_nobody_in_and_hides_no_other(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await redis.hset("b24:{portals}", "m1:zz", "{}")
    await redis.hset("b24:{portals}", f"m2:{'0' * 62}", '{"domain":"d","added_at":"2026-01-01"}')
    await redis.hset("b24:{portals}", f"m3:{'0' * 64}", "[")
    await add(redis, "m4", "fake-token")

    directory = await followed(redis_url)

    assert [portal.member_id for portal in directory] == ["settled", "m4"]


async def test_following_costs_one_small_command_a_look(
    redis: Redis, redis_url: str, followed: Followed
) -> None:
    await add(redis, "m1", "fake-token")
    await followed(redis_url)
    await redis.config_resetstat()

    await until_asked(redis, times=5)
    assert await calls_of(redis, "hgetall") == 0
