"""Redis's clock was ahead, and has been put right: no lease is waited for until the time it told.

A lease of the time before is written as it would have been: one that is given for an hour is one of
seconds whose end lies an hour ahead.
"""

import time
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from consumers.runtime.lua_scripts import LeaseNote, Scripts
from gateway.portals.registry import Registration
from gateway.redis_access.leases import Leases

HOUR_MS = 3_600_000
LEASE = "b24:lease:index:{0}"
MEMBERS = "b24:members:index"


@pytest.mark.parametrize("life_ms", [HOUR_MS, None])
async def test_a_lease_that_ends_too_late_ends_when_one_would_that_is_given_now(
    redis: Redis, life_ms: int | None
) -> None:
    await redis.set("b24:lease", "one", px=life_ms)

    assert not await Leases(redis, owner="two", life_ms=5000).hold("b24:lease")

    assert 0 < await redis.pttl("b24:lease") <= 5000
    assert await Leases(redis, owner="one", life_ms=5000).hold("b24:lease")  # he keeps it
    assert not await Leases(redis, owner="two", life_ms=5000).hold("b24:lease")


async def ahead(redis: Redis, *, ms: int) -> None:
    await redis.hset(LEASE, "until", round(time.time() * 1000) + ms)


async def ends_in_ms(redis: Redis) -> float:
    return int(await redis.hget(LEASE, "until") or 0) - time.time() * 1000


async def test_a_partition_of_a_process_that_has_ended_is_free_in_time(redis: Redis) -> None:
    scripts = Scripts(redis)
    one = await scripts.acquire(LEASE, "one", ttl_ms=300)
    assert one is not None
    await ahead(redis, ms=HOUR_MS)

    # Of a process with other settings: the lease lasts as its owner asked for.
    assert await scripts.acquire(LEASE, "two", ttl_ms=60_000) is None

    assert await ends_in_ms(redis) < 1000
    deadline = time.monotonic() + 10
    while (two := await scripts.acquire(LEASE, "two", ttl_ms=60_000)) is None:
        assert time.monotonic() < deadline
    assert two.epoch > one.epoch


async def test_who_lives_keeps_a_partition_when_the_clock_is_put_back(redis: Redis) -> None:
    scripts = Scripts(redis)
    one = await scripts.acquire(LEASE, "one", ttl_ms=60_000)
    assert one is not None
    await ahead(redis, ms=HOUR_MS)
    assert await scripts.acquire(LEASE, "two", ttl_ms=1000) is None

    assert await scripts.renew(
        [(LEASE, one.epoch, LeaseNote("events", "0-0", None, 0))], "one", ttl_ms=60_000
    ) == [True]

    assert await scripts.acquire(LEASE, "two", ttl_ms=1000) is None
    assert 50_000 < await ends_in_ms(redis) <= 60_000


async def test_a_process_that_has_ended_has_no_share_for_longer_than_its_silence(
    redis: Redis,
) -> None:
    scripts = Scripts(redis)
    await redis.zadd(MEMBERS, {"ended": round(time.time() * 1000) + HOUR_MS})
    deadline = time.monotonic() + 10

    assert set(await scripts.beat(MEMBERS, "living", ttl_ms=300)) == {"ended", "living"}
    while await scripts.beat(MEMBERS, "living", ttl_ms=300) != ["living"]:
        assert time.monotonic() < deadline


def test_a_token_that_ends_later_than_any_has_ended() -> None:
    now = datetime.now(UTC)
    one = Registration(
        member_id="m1",
        digest=b"",
        domain="d",
        added_at=now,
        ends_at=now + timedelta(minutes=10),
    )
    assert not one.has_ended(now)
    assert one.has_ended(now + timedelta(minutes=10))
    assert one.has_ended(now - timedelta(days=365))
