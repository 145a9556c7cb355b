"""Retention on a real server: what is trimmed, what is not, and what is noticed."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.contract import EntryId
from gateway.redis_access.leases import Leases
from gateway.retention.stream_access import StreamAccess, StreamKeys
from gateway.retention.trim_plan import TrimPlan
from tests.integration.retention.trimmed_streams import (
    KEY,
    OLD,
    SIZE,
    STREAMS,
    add,
    counted,
    groups,
    looked,
    read,
    retention,
)
from tests.support.eventually import eventually

__all__ = ["groups"]


async def numbers(redis: Redis) -> list[int]:
    """Which entries are left."""
    entries: Any = await redis.xrange(KEY)
    return [EntryId.of(entry_id).ms - OLD for entry_id, _ in entries]


async def test_only_what_every_group_has_acknowledged_is_trimmed(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40)
    await read(redis, "slow", 10)
    before = counted("b24gw_trimmed_entries_total")

    await retention(redis).look_once()

    left = await numbers(redis)
    assert left[-1] == 40
    assert 11 in left
    assert 11 - left[0] < 2  # less than a node
    assert counted("b24gw_trimmed_entries_total") - before == 40 - len(left)


async def test_a_pending_entry_holds_the_stream_and_all_behind_it(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40)
    await read(redis, "slow", 20, acknowledged=5)

    await retention(redis).look_once()

    assert await numbers(redis) == list(range(5, 41)) or await numbers(redis) == list(range(6, 41))
    pending: Any = await redis.xpending(KEY, "slow")
    assert pending["pending"] == 15


async def test_what_is_not_old_enough_stays_though_it_was_acknowledged(redis: Redis) -> None:
    await add(redis, 10)
    for _ in range(10):
        await redis.xadd(KEY, {"event": b"x" * SIZE})
    await redis.xgroup_create(KEY, "fast", "0")
    await read(redis, "fast", 20)

    await retention(redis, days=1).look_once()

    assert await redis.xlen(KEY) == 10


async def test_a_stream_without_groups_is_trimmed_by_age(redis: Redis) -> None:
    await add(redis, 10)
    await redis.xadd(KEY, {"event": b"new"})

    await retention(redis).look_once()

    assert 1 <= await redis.xlen(KEY) <= 3  # it shares a node with two old ones at most


async def test_a_stopped_group_holds_the_stream_and_is_told_of_once(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40)
    keeper = retention(redis)

    (line,) = await looked(keeper)
    assert await looked(keeper) == []

    assert await redis.xlen(KEY) == 40
    assert line["log_level"] == "warning"
    assert (line["group"], line["held_entries"]) == ("slow", 40)
    assert line["oldest_entry"] == f"{OLD + 1}-0"
    labels = {"stream": "events", "partition": "0", "group": "slow"}
    assert counted("b24gw_held_entries", **labels) == 40
    assert counted("b24gw_held_seconds", **labels) > 86_400
    assert counted("b24gw_stream_entries") == 40

    await read(redis, "slow", 40)
    await keeper.look_once()
    assert await redis.xlen(KEY) < 3


async def test_a_group_declared_to_hold_nothing_loses_what_it_has_not_read_and_that_is_counted(
    redis: Redis, groups: None
) -> None:
    await read(redis, "fast", 40, acknowledged=30)
    await read(redis, "slow", 10, acknowledged=4)
    keeper = retention(redis, non_holding_groups=("slow",))
    labels = {"group": "slow", "by": "retention"}
    before = counted("b24gw_unread_removed_entries_total", **labels)

    said = await looked(keeper)

    left = await numbers(redis)
    assert left[0] in {30, 31}
    lost = left[0] - 1 - 4
    assert counted("b24gw_unread_removed_entries_total", **labels) - before == lost
    (line,) = [line for line in said if line["log_level"] == "warning" and "entries" in line]
    assert (line["group"], line["entries"]) == ("slow", lost)
    # What retention removed is nobody else's doing.
    assert [line for line in await looked(keeper) if line["log_level"] == "error"] == []


async def test_one_process_trims_and_another_takes_over_when_it_ends(
    redis: Redis, groups: None
) -> None:
    first, second = retention(redis, every_s=60), retention(redis, every_s=60)
    first.start()

    async def first_leads() -> bool:
        return await redis.exists(STREAMS.retention_lease(0)) == 1

    await eventually(first_leads)
    for group in ("fast", "slow"):
        await read(redis, group, 40)
    await second.look_once()
    assert await redis.xlen(KEY) == 40

    await first.close()
    await second.look_once()
    assert await redis.xlen(KEY) < 3


@pytest.mark.parametrize("change", ["another leader", "a new group", "a group that went back"])
async def test_a_plan_is_void_when_the_world_has_changed_since(
    redis: Redis, groups: None, change: str
) -> None:
    keys = StreamKeys(
        stream=KEY,
        lease=STREAMS.retention_lease(0),
        books=STREAMS.retention_books("events", 0),
        marks=STREAMS.retention_marks("events", 0),
    )
    access = StreamAccess(redis, owner="us")
    assert await Leases(redis, owner="us", life_ms=60_000).hold(keys.lease)
    await read(redis, "fast", 40)
    await redis.xgroup_destroy(KEY, "slow")
    seen = (("fast", EntryId(OLD + 40)),)
    plan = TrimPlan(trim_to=EntryId(OLD + 30), seen=seen, holders=())
    if change == "another leader":
        await redis.set(keys.lease, "them")
    elif change == "a new group":
        await redis.xgroup_create(KEY, "new", "0")
    else:
        await redis.xgroup_setid(KEY, "fast", f"{OLD + 10}-0")

    assert await access.trim(keys, plan, frozenset()) is None
    assert await redis.xlen(KEY) == 40


async def test_a_full_server_is_still_trimmed(redis: Redis, groups: None) -> None:
    for group in ("fast", "slow"):
        await read(redis, group, 40)
    await redis.config_set("maxmemory", "1")
    try:
        await retention(redis).look_once()
        assert await redis.xlen(KEY) < 3
    finally:
        await redis.config_set("maxmemory", "0")


async def test_many_entries_are_trimmed_in_steps(redis: Redis) -> None:
    async with redis.pipeline(transaction=False) as pipeline:
        for number in range(5000):
            pipeline.xadd(KEY, {"event": b"x"}, id=f"{OLD + number}-0")
        await pipeline.execute()

    await retention(redis).look_once()

    assert await redis.xlen(KEY) <= 100  # a node
    assert counted("b24gw_stream_entries") == 5000


async def test_dangerous_settings_of_the_server_are_told_once(redis: Redis) -> None:
    await redis.config_set("maxmemory-policy", "allkeys-lru")
    keeper = retention(redis)
    try:
        with capture_logs() as logs:
            await keeper.look_once()
            await keeper.look_once()
    finally:
        await redis.config_set("maxmemory-policy", "noeviction")

    told = [line["why"] for line in logs if line["event"] == "redis can lose events"]
    assert [why.split(" is ")[0] for why in told] == ["appendonly", "maxmemory", "maxmemory-policy"]
    assert all(line["log_level"] == "warning" for line in logs)


async def test_closing_does_not_wait_for_a_server_that_hangs(redis: Redis) -> None:
    keeper = retention(redis, every_s=0.01)
    await redis.client_pause(3000)
    keeper.start()
    async with asyncio.timeout(2.5):
        await keeper.close()
    await redis.client_unpause()
