"""A drill goes through its proxy to the primary of Sentinels, and says what a cluster forbids."""

from pathlib import Path

import pytest

from gateway.local.redis_server import RedisServer, ServerBinary
from tests.integration.drill.drilling_here import drilled
from tests.support.redis_cluster import redis_cluster, url_of
from tests.support.redis_sentinel import sentinel_of

pytestmark = pytest.mark.timeout(300)  # most of which a drill waits


async def test_the_primary_of_sentinels_is_cut_off_and_comes_back(
    server_binary: ServerBinary, own_server: RedisServer, tmp_path: Path
) -> None:
    async with sentinel_of(server_binary, tmp_path / "sentinel", own_server) as port:
        url = f"redis+sentinel://127.0.0.1:{port}/mine"
        done = await drilled(url, tmp_path, "--only", "redis-away", "--only", "replies-lost")

    assert done.code == 0, done.errors + done.output
    assert done.outcomes["redis-away"]["spooled"] > 0
    assert all(one["handled"] == one["answered"] > 0 for one in done.outcomes.values())


async def test_on_a_cluster_processes_are_killed_and_the_rest_is_said_not_to_be_tried(
    server_binary: ServerBinary, tmp_path: Path
) -> None:
    async with redis_cluster(server_binary, tmp_path) as nodes:
        chosen = ("--only", "redis-away", "--only", "receiver-killed", "--only", "consumer-killed")
        done = await drilled(url_of(nodes), tmp_path, *chosen)
        of_redis = ("--only", "redis-away", "--only", "spool-full")
        none = await drilled(url_of(nodes), tmp_path, *of_redis)

    assert done.code == 0, done.errors + done.output
    assert "past any proxy" in done.outcomes["redis-away"]["not_tried"]
    assert none.code == 2
    assert "redis-away, spool-full cannot be tried here" in none.errors
    killed = [done.outcomes["receiver-killed"], done.outcomes["consumer-killed"]]
    assert all(one["handled"] == one["answered"] > 0 for one in killed)
    assert all(one["not_tried"] is None for one in killed)
