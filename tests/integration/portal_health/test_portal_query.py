"""A silent portal is asked: for what it has bound, and for a test event that the receiver hears."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from time import time

import pytest
from redis.asyncio import Redis

from gateway.bitrix24.connecting import connect
from gateway.contract import AppEvent
from gateway.portal_health.assembly import PortalHealth, open_portal_health
from gateway.portal_health.silence_watch import silence_states
from gateway.portals.directory import Portal
from gateway.publishing.publish_once import OncePublisher
from gateway.reconciler.process import ReconcilerProcess
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import Settings
from gateway.traffic.portal_traffic import SLOT_S
from tests.integration.installation.running import Gateway
from tests.integration.portal_health.conftest import troubles_on
from tests.integration.portal_health.seeding import count, known_for_weeks
from tests.support.eventually import eventually


@pytest.fixture
async def health(redis: Redis, settings: Settings) -> AsyncIterator[PortalHealth]:
    """What a leading process works with."""
    async with AsyncExitStack() as stack:
        sink = OncePublisher(settings.redis, settings.publish)
        stack.push_async_callback(sink.close)
        bitrix24 = await stack.enter_async_context(connect(settings))
        yield stack.enter_context(open_portal_health(settings, redis, bitrix24, sink))


async def fallen_silent(redis: Redis, portal: LivePortal) -> Portal:
    """The portal, which was heard for weeks until two hours ago."""
    now = time()
    await known_for_weeks(redis, portal.member_id, now=now - 7200)
    await count(redis, {}, first=now - 7200, last=now + SLOT_S)
    return Portal(member_id=portal.member_id, domain=portal.domain, digests=())


async def test_a_portal_with_nothing_to_tell_answers_and_is_heard(
    health: PortalHealth, redis: Redis, gateway: Gateway, installed: LivePortal
) -> None:
    portal = await fallen_silent(redis, installed)
    await health.silence.look(portal)
    await installed.sent()
    (*_, event) = await gateway.events()
    assert isinstance(event, AppEvent)
    assert str(event.data.test).startswith("silence-")

    await gateway.rates.measure(time())
    await health.silence.look(portal)

    known = (await silence_states(redis, prefix="b24").read(portal.member_id)).value
    assert known is not None
    assert (known.asked_at, known.alarm_at, known.silent_s) == (None, None, 0.0)
    assert await troubles_on(gateway) == []


async def test_a_portal_that_is_silent_for_want_of_handlers_gets_them_back_at_once(
    health: PortalHealth, redis: Redis, gateway: Gateway, installed: LivePortal
) -> None:
    portal = await fallen_silent(redis, installed)
    installed.forget_bindings()

    await health.silence.look(portal)

    (event,) = await troubles_on(gateway)
    assert (event.type, event.data.is_mended) == ("bitrix24.portal.unbound", True)
    await installed.sent()
    assert (await gateway.events())[-1].type == "bitrix24.app.tested"


async def test_the_process_binds_again_what_a_portal_has_lost(
    settings: Settings, gateway: Gateway, installed: LivePortal
) -> None:
    installed.forget_bindings()

    assert await ReconcilerProcess(settings).once()

    assert len(installed.bindings.of(settings.bitrix24.client_id)) == 10
    assert [event.type for event in await troubles_on(gateway)] == ["bitrix24.portal.unbound"]


async def test_an_application_that_is_gone_leaves_no_trouble_behind(
    health: PortalHealth, gateway: Gateway, installed: LivePortal
) -> None:
    portal = Portal(member_id=installed.member_id, domain=installed.domain, digests=())
    installed.faults.wrong_licence()
    await health.checkup.look(portal)
    installed.faults.clear()
    await installed.uninstall(clean=False)
    await installed.sent()

    async def is_over() -> bool:
        await health.checkup.look(portal)
        return len(await troubles_on(gateway)) == 2

    await eventually(is_over)
    unauthorized, recovered = await troubles_on(gateway)
    assert (unauthorized.data.trouble, recovered.type) == (
        "unauthorized",
        "bitrix24.portal.recovered",
    )
