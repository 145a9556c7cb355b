"""A primary is killed under load: nothing that was answered 200 under `replicated:1` is lost."""

import pytest

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from gateway.redis_access.redis_url import RedisAddress
from tests.support.eventually import eventually
from tests.support.slot_moves import NobodyHoldsIt, holder_of, slot_of
from tests.support.stage import Stage
from tests.topologies.consumers_at_work import consumers_at_work
from tests.topologies.deployments import CLUSTERS, SENTINELS, Deployment
from tests.topologies.settling import settle, until_sent

_REPLICATED = {"PUBLISH_ACK": "replicated:1", "PUBLISH_DEADLINE_S": "1"}


@pytest.mark.on(*SENTINELS, *CLUSTERS)
async def test_a_primary_is_killed(stage: Stage, deployment: Deployment) -> None:
    """It comes back as a replica of the one that took over; in a cluster, as its only one."""
    setting = deployment.setting
    receiver = await stage.receiver(setting, _REPLICATED)
    async with consumers_at_work(stage, deployment.url, setting) as consumers:
        async with stage.load(receiver, rate=50) as load:
            await load.until_answered_from("stream", timeout_s=20)
            await until_sent(load, 100)
            key = stage.streams.key("events", 0)
            primary = await _primary(deployment, deployment.servers, key)
            assert primary is not None
            primary.kill()
            await load.until_answered_from("spool", timeout_s=20)
            others = [server for server in deployment.servers if server is not primary]
            await eventually(lambda: _primary(deployment, others, key), timeout_s=60)
            primary.start()
            await until_sent(load, 100)
            await load.until_answered_from("stream", timeout_s=60)

        account = await settle(stage, load, consumers, deployment, has_lost_entries=True)

    assert account.spooled > 0
    assert account.refused == account.unanswered == 0


async def _primary(
    deployment: Deployment, servers: list[RedisServer], key: str
) -> RedisServer | None:
    """Which of these servers takes what belongs to a key, if one does by now."""
    try:
        if RedisAddress.of(deployment.url).kind == "cluster":
            holder, _other = await holder_of(servers, await slot_of(servers[0], key))
            return holder
        async with connections.control(deployment.url) as redis:
            port = (await redis.info("server"))["tcp_port"]
    except (NobodyHoldsIt, *connections.AWAY_OR_REFUSING):
        return None
    return next((server for server in servers if server.port == port), None)
