"""The list of portals in trouble follows what is noted of each."""

import time

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.contract import PortalData
from gateway.portal_health.troubled_index import TroubledIndex
from gateway.portal_health.troubled_portals import list_troubled, troubles_of_portals
from gateway.portal_health.troubles import Troubles
from gateway.publishing.publish_once import OncePublisher
from gateway.settings import PublishSettings, RedisSettings
from tests.support.portal_trouble import note_trouble

SILENT = PortalData(
    member_id="acme", domain="acme.example", trouble="silent", since="2026-01-31T12:00:00Z"
)
UNBOUND = PortalData(
    member_id="acme", domain="acme.example", trouble="unbound", since="2026-01-31T13:00:00Z"
)


async def listed(redis: Redis, *member_ids: str) -> list[PortalData]:
    return await troubles_of_portals(redis, member_ids or ["acme"], prefix="b24")


async def test_a_trouble_is_listed_while_it_lasts(redis: Redis, redis_url: str) -> None:
    sink = OncePublisher(RedisSettings(url=redis_url), PublishSettings())
    troubles = Troubles(redis, sink, prefix="b24", clock=time.time_ns)
    try:
        await troubles.began(SILENT)
        await troubles.began(UNBOUND)
        assert await listed(redis) == [SILENT, UNBOUND]
        assert await listed(redis, "another") == []

        await troubles.over("acme", "silent")
        assert await listed(redis) == [UNBOUND]
        await TroubledIndex(redis, prefix="b24").note("acme", [])  # as if its write was lost
        await troubles.began(UNBOUND)
        assert await listed(redis) == [UNBOUND]
        await troubles.over("acme", "unbound")
        assert await listed(redis) == []
        assert await redis.exists("b24:care:troubled") == 0
    finally:
        await sink.close()


@pytest.mark.parametrize("listed_before", [[], [SILENT]])
async def test_who_begins_to_lead_goes_through_all_portals(
    redis: Redis, listed_before: list[PortalData]
) -> None:
    await note_trouble(redis, SILENT)
    index = TroubledIndex(redis, prefix="b24")
    await index.note("acme", listed_before)
    await index.note("well", [replace(SILENT, member_id="well")])

    await list_troubled(redis, ["acme", "well"], prefix="b24")

    assert await listed(redis, "acme", "well") == [SILENT]
