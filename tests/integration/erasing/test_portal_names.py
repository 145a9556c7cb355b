"""Nothing is on record as erased because a portal was called by its domain."""

from datetime import UTC, datetime

import pytest
from redis.asyncio import Redis

from gateway.commands.erase import erase_from_redis
from gateway.contract import Streams
from gateway.erasing.subject import Subject
from gateway.errors import OperatorError
from gateway.portals.registry import Registry
from gateway.settings import PortalSettings, RedisSettings, Settings


async def test_a_portal_named_by_its_domain_is_refused_with_its_id(
    redis: Redis, redis_url: str
) -> None:
    listed = PortalSettings(
        member_id="listed", domain="listed.bitrix24.example", application_tokens=("fake-token",)
    )
    settings = Settings(redis=RedisSettings(url=redis_url), portals=(listed,))
    await Registry(redis, prefix="b24").add(
        "installed", "acme.bitrix24.example", b"x" * 32, now=datetime.now(UTC)
    )

    for domain, member_id in (
        ("acme.bitrix24.example", "installed"),
        ("Listed.bitrix24.example", "listed"),
    ):
        with pytest.raises(OperatorError, match=f"is a domain: erase --portal {member_id}"):
            await erase_from_redis(settings, Subject(member_id=domain))

    assert not await redis.exists(Streams().key("events", 0))


async def test_a_portal_that_nobody_knows_any_more_can_be_erased(
    redis: Redis, redis_url: str
) -> None:
    settings = Settings(redis=RedisSettings(url=redis_url))

    assert (await erase_from_redis(settings, Subject(member_id="gone.example"))).event_id
    assert await redis.exists(Streams().key("events", 0))
