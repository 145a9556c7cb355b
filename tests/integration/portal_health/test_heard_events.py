"""A portal is heard by whatever it delivers: its silence is noticed where nobody comments, too."""

import time

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.sandbox.live_portal import LivePortal
from gateway.settings import EventSettings, Settings
from gateway.traffic.portal_traffic import SLOT_S, Traffic, slot_at
from tests.integration.installation.running import Gateway
from tests.support.eventually import eventually


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Without comments."""
    names = ("onCrmDeal*", "onTask*", "onCrmDynamicItem*")
    return replace(settings, events=tuple(EventSettings(name=name) for name in names))


async def test_deals_tasks_and_items_are_counted_as_comments_are(
    redis: Redis, gateway: Gateway, installed: LivePortal
) -> None:
    traffic, now = Traffic(redis, prefix="b24"), time.time()

    async def heard() -> int:
        await gateway.rates.measure(time.time())
        slots = await traffic.slots(installed.member_id, slot_at(now), slot_at(now + SLOT_S))
        return sum(one.events for one in slots)

    before = await heard()
    deal = installed.deals.add({"TITLE": "A machine"})
    installed.deals.update(deal, {"TITLE": "Two machines"})
    installed.tasks.add({"TITLE": "Call them"})
    installed.content.smart_process(1036).add({"TITLE": "An item"})
    await installed.sent()

    async def are_heard() -> bool:
        return await heard() == before + 4

    await eventually(are_heard)
    assert await traffic.last_event_at(installed.member_id) is not None
