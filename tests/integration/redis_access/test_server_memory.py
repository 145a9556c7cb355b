"""Used memory is told for each server: in a cluster one node may be full and another empty."""

from redis.asyncio import Redis

from gateway.contract import Streams
from gateway.redis_access import connections
from gateway.redis_access.server_memory import memory_by_server, memory_share


def test_the_share_counts_what_redis_counts_and_is_nothing_without_a_limit() -> None:
    memory = {"used_memory": 60, "mem_not_counted_for_evict": 10, "maxmemory": 100}

    assert memory_share(memory) == 0.5
    assert memory_share(memory | {"maxmemory": 0}) == 0.0


async def test_one_server_holds_all_keys(redis: Redis) -> None:
    (server,) = await memory_by_server(redis, ["a", "b", "c"])

    assert server.places == (0, 1, 2)
    assert server.share == 0.0


async def test_each_node_of_a_cluster_tells_its_own(cluster_url: str) -> None:
    client = connections.control(cluster_url)
    keys = Streams(partitions=8).keys("events")
    try:
        servers = await memory_by_server(client, keys)

        assert len(servers) == 2
        assert sorted(place for server in servers for place in server.places) == list(range(8))
    finally:
        await client.aclose()
