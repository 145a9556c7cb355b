"""Retention on a server that is short of memory: what goes early, what stays, who is named."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.contract import Streams
from gateway.redis_access import connections
from gateway.retention.keeper import Retention
from gateway.settings import RetentionSettings

STREAMS = Streams()
EVENTS, COMMENTS = STREAMS.key("events", 0), STREAMS.key("comments", 0)
COUNT = 3000


async def fill(redis: Redis, key: str, *groups: str) -> None:
    """Put entries of a kilobyte on a stream, all handled by these groups."""
    async with redis.pipeline(transaction=False) as pipeline:
        for _ in range(COUNT):
            pipeline.xadd(key, {"event": b"x" * 1000})
        await pipeline.execute()
    for group in groups:
        await redis.xgroup_create(key, group, "0")
        await handle(redis, key, group, COUNT)


async def handle(redis: Redis, key: str, group: str, count: int) -> None:
    replies: Any = await redis.xreadgroup(group, "c", {key: ">"}, count=count)
    ids = [entry_id for entry_id, _ in replies[key.encode()]]
    await redis.xack(key, group, *ids)


async def shorten(redis: Redis, share: float) -> None:
    """Give the server so little memory that it uses this share of it."""
    used = (await redis.info("memory"))["used_memory"]
    await redis.config_set("maxmemory", round(used / share))


@pytest.fixture
async def small(redis: Redis) -> AsyncIterator[Redis]:
    yield redis
    await redis.config_set("maxmemory", 0)


async def looked(keeper: Retention) -> list[Any]:
    with capture_logs() as logs:
        await keeper.look_once()
    return [line for line in logs if "short of memory" in line["event"]]


def counted(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"stream": "events", "partition": "0"} | labels)


async def test_what_is_handled_goes_the_oldest_first_until_there_is_memory(small: Redis) -> None:
    await fill(small, EVENTS, "audit", "enricher")
    await fill(small, COMMENTS, "notifier")  # younger
    await shorten(small, 0.85)
    keeper = Retention(small, STREAMS, RetentionSettings())
    before = counted("b24gw_trimmed_early_entries_total") or 0.0

    (line,) = await looked(keeper)
    again = await looked(keeper)

    left = await small.xlen(EVENTS)
    assert COUNT / 5 < left < COUNT
    assert await small.xlen(COMMENTS) == COUNT
    assert (line["stream"], line["log_level"]) == (EVENTS, "warning")
    assert again == []
    assert (counted("b24gw_trimmed_early_entries_total") or 0.0) - before == COUNT - left


async def test_what_one_group_has_not_acknowledged_stays_and_the_group_is_named(
    small: Redis,
) -> None:
    await fill(small, EVENTS, "audit")
    await small.xgroup_create(EVENTS, "slow", "0")
    await handle(small, EVENTS, "slow", 500)
    replies: Any = await small.xreadgroup("slow", "c", {EVENTS: ">"}, count=10)
    first_pending = replies[EVENTS.encode()][0][0]
    await shorten(small, 0.95)
    keeper = Retention(small, STREAMS, RetentionSettings())

    lines = await looked(keeper)
    again = await looked(keeper)

    entries: Any = await small.xrange(EVENTS, count=1)
    assert entries[0][0] <= first_pending
    assert await small.xlen(EVENTS) >= COUNT - 500
    assert [line["group"] for line in lines if "group" in line] == ["slow"]
    assert [line["held_entries"] for line in lines if "group" in line] == [COUNT - 500]
    assert again == []


async def test_a_stream_that_no_group_reads_is_not_shortened(small: Redis) -> None:
    await fill(small, EVENTS)
    await shorten(small, 0.95)

    (line,) = await looked(Retention(small, STREAMS, RetentionSettings()))

    assert await small.xlen(EVENTS) == COUNT
    assert (line["stream"], line["entries"]) == (EVENTS, COUNT)


async def test_what_else_fills_the_server_is_not_laid_to_a_groups_charge(small: Redis) -> None:
    await small.xadd(EVENTS, {"event": b"x"})
    await small.xgroup_create(EVENTS, "audit", "0")
    await small.set("theirs", b"x" * 5_000_000)
    await shorten(small, 0.95)

    (line,) = await looked(Retention(small, STREAMS, RetentionSettings()))

    assert line["event"].endswith("hardly any of it is events that wait")
    assert await small.xlen(EVENTS) == 1


async def test_days_may_come_first(small: Redis) -> None:
    await fill(small, EVENTS, "audit")
    await shorten(small, 0.95)

    assert await looked(Retention(small, STREAMS, RetentionSettings(days_first=True))) == []

    assert await small.xlen(EVENTS) == COUNT


async def test_only_the_receiver_that_leads_makes_room(small: Redis) -> None:
    await fill(small, EVENTS, "audit")
    leader, other = (Retention(small, STREAMS, RetentionSettings()) for _ in range(2))
    await leader.look_once()
    await shorten(small, 0.95)

    assert await looked(other) == []
    assert await small.xlen(EVENTS) == COUNT


async def test_the_gauges_of_a_deleted_group_end_and_so_does_its_hold(small: Redis) -> None:
    await fill(small, EVENTS, "audit")
    await small.xgroup_create(EVENTS, "gone", "0")
    keeper = Retention(small, STREAMS, RetentionSettings())
    await keeper.look_once()
    assert counted("b24gw_held_entries", group="gone") == COUNT

    await small.xgroup_destroy(EVENTS, "gone")
    await shorten(small, 0.95)
    await keeper.look_once()

    assert counted("b24gw_held_entries", group="gone") is None
    assert counted("b24gw_held_seconds", group="gone") is None
    assert counted("b24gw_held_entries", group="audit") == 0
    assert await small.xlen(EVENTS) < COUNT


async def test_in_a_cluster_only_the_full_node_is_relieved(cluster_url: str) -> None:
    client = connections.control(cluster_url)
    streams = Streams(partitions=8)
    cluster: Any = client
    try:
        for key in streams.keys("events"):
            await fill(client, key, "audit")
        full = cluster.get_node_from_key(streams.key("events", 0))
        used = (await cluster.info("memory", target_nodes=full))["used_memory"]
        await cluster.config_set("maxmemory", round(used / 0.95), target_nodes=full)

        await Retention(client, streams, RetentionSettings()).look_once()

        on_full = {
            key: cluster.get_node_from_key(key).name == full.name for key in streams.keys("events")
        }
        lengths = {key: await client.xlen(key) for key in on_full}
        assert {lengths[key] for key, is_on in on_full.items() if not is_on} == {COUNT}
        assert sum(lengths[key] < COUNT for key, is_on in on_full.items() if is_on) >= 1
    finally:
        await client.aclose()
