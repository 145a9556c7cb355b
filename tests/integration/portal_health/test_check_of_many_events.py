"""`gateway portals check` where a portal has many events bound: what drifted, what cannot be."""

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.bitrix24.bindings import expected
from gateway.reconciler.process import lease_key
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import EventSettings, PortalSettings, Settings
from tests.integration.installation.running import Gateway
from tests.integration.portal_health.commanding import Command, command
from tests.integration.portal_health.conftest import OpenCarer, troubles_on

__all__ = ["command"]


@pytest.fixture
def many(settings: Settings) -> Settings:
    """The settings with more than fifty events, all of one right."""
    names = (
        *("onCrmTimelineComment*", "onCrmDeal*", "onCrmLead*", "onCrmContact*", "onCrmCompany*"),
        *("onCrmQuote*", "onCrmRequisite*"),
    )
    return replace(settings, events=tuple(EventSettings(name=name) for name in names))


@pytest.fixture
async def cared_for(redis: Redis, settings: Settings) -> None:
    """As if a process of `gateway reconcile` led."""
    await redis.set(lease_key(settings), "somebody")


@pytest.mark.usefixtures("cared_for")
async def test_a_portal_of_more_than_fifty_bound_events_is_well(
    command: Command, many: Settings, installed: LivePortal
) -> None:
    wanted = expected(many.handler_url, many.subscription)
    assert sum(not one.is_offline for one in wanted) > 50
    assert (await command(many, "add", group="events")).code == 0

    shown = await command(many, "check")
    (found,) = (await command(many, "check", "--json")).objects

    assert f" {len(wanted)}/{len(wanted)} " in shown.out
    assert (found["bound"], found["missing"], found["extra"]) == (len(wanted), [], [])
    assert (shown.code, found["faults"]) == (0, [])


@pytest.mark.usefixtures("cared_for")
async def test_what_is_missing_is_a_fault_and_what_is_extra_is_said(
    command: Command, settings: Settings, many: Settings, installed: LivePortal
) -> None:
    missing = await command(many, "check")
    assert (await command(many, "add", group="events")).code == 0
    extra = await command(settings, "check")
    (found,) = (await command(settings, "check", "--json")).objects

    assert missing.code == 1
    (line,) = [one for one in missing.out.splitlines() if "not bound" in one]
    assert line.endswith(" more")
    assert len(line) < 400
    assert extra.code == 0
    assert "bound, and not taken: ONCRMCOMPANYADD" in extra.out
    assert "gateway events remove" in extra.out
    assert len(found["extra"]) > 80
    assert found["missing"] == []


@pytest.mark.usefixtures("cared_for")
async def test_a_right_that_the_application_lacks_is_named(
    command: Command, settings: Settings, installed: LivePortal
) -> None:
    names = ("onCrmTimelineComment*", "onTask*", "onCalendarEntry*")
    wishing = replace(settings, events=tuple(EventSettings(name=name) for name in names))
    told = await command(wishing, "add", group="events")

    shown = await command(wishing, "check")

    assert (told.code, shown.code) == (1, 1)
    assert "the application has no right `calendar`" in shown.out
    assert "ONCALENDARENTRYADD" in shown.out
    assert "no right `task`" not in shown.out
    assert "  not bound:" not in shown.out


async def test_what_is_newly_taken_is_bound_by_a_look_and_was_not_lost(
    open_carer: OpenCarer,
    many: Settings,
    sandbox: Sandbox,
    gateway: Gateway,
    installed: LivePortal,
) -> None:
    async with open_carer(many) as carer:
        await carer.look(installed)
        bound = {one.event for one in installed.bindings.of(sandbox.application.client_id)}
        assert {"ONCRMDEALADD", "ONCRMQUOTEDELETE"} <= bound
        assert await troubles_on(gateway) == []

        deals = [
            one
            for one in installed.bindings.of(sandbox.application.client_id)
            if one.event.startswith("ONCRMDEAL")
        ]
        installed.bindings.remove(deals)
        await carer.look(installed)

    (trouble,) = await troubles_on(gateway)
    assert set(trouble.data.missing) == {
        f"{one.event} (offline)" if one.is_offline else one.event for one in deals
    }
    assert trouble.data.is_mended


@pytest.mark.usefixtures("cared_for")
async def test_a_right_that_an_inbound_webhook_lacks_for_what_is_fetched_is_named(
    command: Command, settings: Settings, sandbox: Sandbox
) -> None:
    portal = await sandbox.add_portal()
    registered = PortalSettings(
        member_id=portal.member_id,
        domain="acme.example",
        application_tokens=("fake",),
        rest_webhook=portal.webhook_url,
    )
    fetched = EventSettings(
        name="onZooAnimalFeed", type="bitrix24.zoo.animal.fed", fetch="crm.item.get"
    )
    events = (EventSettings(name="onTask*", fetch="tasks.task.get"), fetched)
    (well,) = (
        await command(replace(settings, portals=(registered,), events=events), "check", "--json")
    ).objects

    lacking = (*events, EventSettings(name="onUserAdd", fetch="user.get"))
    shown = await command(replace(settings, portals=(registered,), events=lacking), "check")

    assert well["faults"] == []
    assert "the inbound webhook has no right `user`" in shown.out
    assert "ONUSERADD" in shown.out
