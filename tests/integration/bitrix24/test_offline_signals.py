"""Who signals is told once to whoever takes; on one server and on a cluster."""

from redis.asyncio import Redis

from gateway.bitrix24.offline_signals import signal, take
from gateway.redis_access import connections


async def test_a_portal_that_signals_often_is_taken_once(redis: Redis) -> None:
    for member_id in ("m2", "m1", "m2", "m2"):
        await signal(redis, member_id, prefix="b24")

    assert await take(redis, prefix="other") == []
    assert await take(redis, prefix="b24") == ["m2", "m1"]
    assert await take(redis, prefix="b24") == []

    await signal(redis, "m2", prefix="b24")
    assert await take(redis, prefix="b24") == ["m2"]


async def test_signals_work_on_a_cluster(cluster_url: str) -> None:
    async with connections.control(cluster_url) as client:
        await signal(client, "m1", prefix="b24")

        assert await take(client, prefix="b24") == ["m1"]
