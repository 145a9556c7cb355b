"""Of many portals some are asked, and those that are known to be in trouble are among them."""

import asyncio
from datetime import UTC, datetime

from redis.asyncio import Redis

from gateway.contract import PortalData
from gateway.doctor.portal_look import portal_findings
from gateway.portals.registry import Registry
from gateway.settings.loading import load
from tests.support.portal_trouble import note_trouble


async def test_a_hundred_of_many_portals_are_asked_those_in_trouble_first(
    redis: Redis, redis_url: str
) -> None:
    registry, now = Registry(redis, prefix="b24"), datetime.now(UTC)
    await asyncio.gather(
        *(
            registry.add(f"m{number}", f"p{number}.example", bytes(32), now=now)
            for number in range(300)
        )
    )
    for number in (7, 150, 299):
        trouble = PortalData(
            member_id=f"m{number}",
            domain=f"p{number}.example",
            trouble="silent",
            since="2026-01-31T12:00:00Z",
        )
        await note_trouble(redis, trouble)

    found = await portal_findings(redis, load(None, {"GATEWAY_REDIS_URL": redis_url}))

    said = [one.what for one in found]
    assert "100 of 300 portals were asked, those in trouble first" in said
    for number in (7, 150, 299):
        assert any(what.startswith(f"p{number}.example: ") for what in said)
