"""`gateway groups remove` removes a group with all that it has, and nothing of anybody else."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.ops.group_removal import GroupInUse, look_at_group, remove_group
from gateway.redis_access import connections
from tests.integration.runtime.running import comment_event, gateway, publish, settled
from tests.support.consumer_process import service
from tests.support.eventually import eventually
from tests.support.starting import finished

STREAMS = Streams(partitions=4)
PARTITIONS = {"GATEWAY_REDIS_PARTITIONS": "4"}


async def plant(redis: Redis, group: str, *, stream: str = "events") -> None:
    """All keys that a group may have, and a position on each partition of a stream."""
    for partition in range(STREAMS.partitions):
        key = STREAMS.key(stream, partition)
        await redis.xadd(key, {"event": b"x"})
        await redis.xgroup_create(key, group, "0")
        await redis.xadd(STREAMS.replay(group, partition), {"event": b"x"})
        await redis.xgroup_create(STREAMS.replay(group, partition), group, "0")
        await redis.xadd(STREAMS.dead(group, partition), {"event": b"x"})
        await redis.hset(STREAMS.lease(group, partition), "epoch", "1")
        await redis.hset(STREAMS.failures(group, partition), "events:1-0", "{}")
        await redis.zadd(STREAMS.emitted(group, partition), {"shared:1-0": 1})
    await redis.zadd(STREAMS.members(group), {"somebody": 1})
    await redis.hset(STREAMS.pauses(group), "*", '{"selection":{},"since":"2026-01-01T00:00:00Z"}')
    await redis.hset(STREAMS.strikes(group), "x", "{}")


async def keys(redis: Redis) -> set[str]:
    return {key.decode() async for key in redis.scan_iter(match="*", count=1000)}


async def refused(url: str, *arguments: str, **environ: str) -> tuple[int, str]:
    done = await finished(
        (sys.executable, "-m", "gateway", "groups", "remove", *arguments),
        environment=os.environ | {"GATEWAY_REDIS_URL": url} | environ,
    )
    return done.returncode, done.stdout + done.stderr


async def test_a_group_goes_with_all_its_keys_and_no_others(cluster_url: str) -> None:
    async with connections.control(cluster_url) as redis:
        await plant(redis, "other")
        before = await keys(redis)
        await plant(redis, "index")
        shown = json.loads(
            await gateway(
                cluster_url, "groups", "remove", "index", "--dry-run", "--json", **PARTITIONS
            )
        )
        assert (shown["streams"], shown["lag"], shown["dead_letters"]) == (["events"], 8, 4)
        assert shown["keys"] == 4 * 5 + 3

        said = await gateway(cluster_url, "groups", "remove", "index", "--yes", **PARTITIONS)
        assert said.splitlines()[-1] == "index is removed"
        assert await keys(redis) == before
        for key in STREAMS.keys("events"):
            rows: Any = await redis.xinfo_groups(key)
            assert [row["name"] for row in rows] == [b"other"]
            assert await redis.xlen(key) == 2
        assert await refused(cluster_url, "index", "--yes", **PARTITIONS) == (
            1,
            "Error: there is nothing of a group index\n",
        )


async def test_what_a_removal_has_left_is_removed_by_the_next(redis: Redis) -> None:
    await plant(redis, "index")
    one = Streams(partitions=1)
    await remove_group(redis, one, "index")  # as one that was killed after its first partition
    found = await look_at_group(redis, STREAMS, "index")
    assert (found.streams, found.dead_letters) == (("events",), 3)

    await remove_group(redis, STREAMS, "index")
    await remove_group(redis, STREAMS, "index")
    assert (await look_at_group(redis, STREAMS, "index")).is_nothing
    assert await keys(redis) == set(STREAMS.keys("events"))


async def test_a_group_that_works_is_not_removed(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    key = STREAMS.key("events", 0)
    await publish(redis, key, [comment_event(1)])
    with service(redis_url, tmp_path) as process:
        await eventually(lambda: settled(redis, key, "search-index"))
        code, said = await refused(redis_url, "search-index", "--yes")
        assert (code, "stop its processes first" in said) == (1, True)
        with pytest.raises(GroupInUse):
            await remove_group(redis, Streams(), "search-index")
        assert await process.stop() == 0
    rows: Any = await redis.xinfo_groups(key)
    assert len(rows) == 1

    assert (await refused(redis_url, "search-index", "--yes"))[0] == 0
    assert await redis.xinfo_groups(key) == []


async def test_without_a_yes_nothing_is_removed(redis: Redis, redis_url: str) -> None:
    await plant(redis, "index")
    before = await keys(redis)

    code, said = await refused(redis_url, "index", **PARTITIONS)
    assert (code, "Aborted" in said) == (1, True)
    assert await keys(redis) == before


async def test_the_outboxes_go_with_the_notifier_and_with_no_other(
    redis: Redis, redis_url: str
) -> None:
    await plant(redis, "notifier", stream="comments")
    await plant(redis, "index")
    await redis.hset("b24:notifier:{desk}:notices", "1", "fake")
    await redis.zadd("b24:notifier:{desk}:due", {"1": 1})
    assert (await look_at_group(redis, STREAMS, "index")).notices is None
    assert (await look_at_group(redis, STREAMS, "notifier")).notices == 1

    await remove_group(redis, STREAMS, "index")
    assert await redis.exists("b24:notifier:{desk}:notices") == 1
    await remove_group(redis, STREAMS, "notifier")
    assert await keys(redis) == {*STREAMS.keys("events"), *STREAMS.keys("comments")}
