"""Portals that lose their handlers or shut us out: mended where it can be, told once, counted."""

from datetime import datetime

import msgspec
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from gateway.bitrix24.errors import Unavailable
from gateway.bitrix24.tokens import REFRESH_LIFE_S
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import PortalSettings, Settings
from tests.integration.installation.running import Gateway
from tests.integration.portal_health.conftest import Carer, OpenCarer, troubles_on
from tests.support.eventually import eventually

DAY = 86400


def bound(portal: LivePortal, gateway: Gateway) -> set[tuple[str, bool]]:
    client_id = gateway.settings.bitrix24.client_id
    return {(one.event, one.is_offline) for one in portal.bindings.of(client_id)}


async def told(gateway: Gateway) -> list[tuple[str, str, bool]]:
    return [
        (event.type.rpartition(".")[2], event.data.trouble, event.data.is_mended)
        for event in await troubles_on(gateway)
    ]


async def aged(carer: Carer, portal: LivePortal, *, days: float) -> None:
    """Let the portal's grant be so old."""
    store = carer.bitrix24.tokens
    assert store is not None
    tokens = await store.read(portal.member_id)
    assert tokens is not None
    renewed_at = int(carer.now() - days * DAY)
    await store.install(msgspec.structs.replace(tokens, renewed_at=renewed_at))


async def test_an_update_of_the_application_takes_its_handlers_and_they_are_bound_again(
    carer: Carer, gateway: Gateway, installed: LivePortal
) -> None:
    before = bound(installed, gateway)
    counted = REGISTRY.get_sample_value("b24gw_rebound_handlers_total") or 0
    installed.forget_bindings()

    with capture_logs() as logs:
        await carer.look(installed)
        await carer.look(installed)

    assert bound(installed, gateway) == before
    assert await told(gateway) == [("unbound", "unbound", True)]
    (event,) = await troubles_on(gateway)
    assert set(event.data.missing) == {
        f"{name} (offline)" if is_offline else name for name, is_offline in before
    }
    (line,) = [one for one in logs if one["event"] == "event handlers of a portal were gone"]
    assert (line["event_id"], line["log_level"]) == (event.id, "warning")
    assert REGISTRY.get_sample_value("b24gw_rebound_handlers_total") == counted + len(before)

    installed.comments.add(entity_type="deal", entity_id=1, text="heard again", author_id=1)
    await installed.sent()
    assert (await gateway.events())[-1].type == "bitrix24.crm.timeline.comment.added"


async def test_one_handler_that_is_gone_is_bound_alone(
    carer: Carer, gateway: Gateway, installed: LivePortal
) -> None:
    client_id = gateway.settings.bitrix24.client_id
    gone = [
        one
        for one in installed.bindings.of(client_id)
        if one.event == "ONCRMTIMELINECOMMENTUPDATE" and not one.is_offline
    ]
    installed.bindings.remove(gone)
    others = {one.id for one in installed.bindings.of(client_id)}

    await carer.look(installed)

    assert others < {one.id for one in installed.bindings.of(client_id)}
    (event,) = await troubles_on(gateway)
    assert event.data.missing == ("ONCRMTIMELINECOMMENTUPDATE",)


async def test_handlers_that_cannot_be_bound_are_a_trouble_until_they_are(
    carer: Carer, open_carer: OpenCarer, gateway: Gateway, installed: LivePortal
) -> None:
    installed.forget_bindings()
    # Bitrix24 takes no address without a dot.
    refused = msgspec.structs.replace(gateway.settings.bitrix24, public_url="http://localhost:1")
    async with open_carer(msgspec.structs.replace(gateway.settings, bitrix24=refused)) as mistaken:
        for _ in range(2):
            await mistaken.look(installed)
    assert await told(gateway) == [("unbound", "unbound", False)]
    (event,) = await troubles_on(gateway)
    assert "handler" in (event.data.reason or "").lower()

    for _ in range(2):
        await carer.look(installed)
    assert await told(gateway) == [
        ("unbound", "unbound", False),
        ("recovered", "unbound", False),
    ]


async def test_a_plan_without_a_queue_is_no_drift_and_is_not_asked_about_it_each_time(
    open_carer: OpenCarer, gateway: Gateway, sandbox: Sandbox, settings: Settings
) -> None:
    named = msgspec.structs.replace(settings.bitrix24, auth_connector="gateway")
    portal = await sandbox.add_portal(plan="basic")
    await portal.install(gateway.url)
    await portal.sent()
    async with open_carer(msgspec.structs.replace(settings, bitrix24=named)) as carer:
        await carer.look(portal)  # binds, or finds bound, all but the queue with a name
        portal.calls.clear()
        await carer.look(portal)

    assert [call.method for call in portal.calls] == ["event.get"]
    assert await told(gateway) == []


async def test_a_grant_that_is_gone_is_told_once_and_once_when_it_is_back(
    carer: Carer, gateway: Gateway, installed: LivePortal, sandbox: Sandbox
) -> None:
    sandbox.grants.revoke(installed.member_id, gateway.settings.bitrix24.client_id)

    for _ in range(3):
        await carer.look(installed)
    assert await told(gateway) == [("unauthorized", "unauthorized", False)]

    await installed.install(gateway.url)
    await installed.sent()

    async def is_over() -> bool:
        await carer.look(installed)
        return len(await told(gateway)) > 1

    await eventually(is_over)
    assert (await told(gateway))[1] == ("recovered", "unauthorized", False)


async def test_a_portal_that_does_not_answer_is_no_trouble_but_a_failure(
    carer: Carer, gateway: Gateway, installed: LivePortal
) -> None:
    installed.faults.page = 502

    with pytest.raises(Unavailable):
        await carer.look(installed)

    assert await told(gateway) == []


async def test_half_way_through_its_life_a_grant_is_renewed(
    carer: Carer, gateway: Gateway, installed: LivePortal, sandbox: Sandbox
) -> None:
    await aged(carer, installed, days=91)
    asked = len(sandbox.authorization.calls)

    await carer.look(installed)

    assert [call.method for call in sandbox.authorization.calls[asked:]] == ["oauth/token"]
    assert await told(gateway) == []


async def test_a_grant_that_cannot_be_renewed_is_warned_of_before_its_end(
    carer: Carer,
    open_carer: OpenCarer,
    gateway: Gateway,
    installed: LivePortal,
    sandbox: Sandbox,
    settings: Settings,
) -> None:
    await aged(carer, installed, days=151)
    sandbox.authorization.faults.page = 502

    await carer.look(installed)
    await carer.look(installed)

    (event,) = await troubles_on(gateway)
    assert (event.type, event.data.trouble) == (
        "bitrix24.portal.token_expiring",
        "token_expiring",
    )
    left_s = datetime.fromisoformat(event.data.expires_at or "").timestamp() - carer.now()
    assert abs(left_s - (REFRESH_LIFE_S - 151 * DAY)) < 60

    sandbox.authorization.faults.page = 0
    async with open_carer(settings) as later:
        later.ahead_s = 2 * 3600  # after a failure it is tried again an hour later
        await later.look(installed)
    assert (await told(gateway))[1] == ("recovered", "token_expiring", False)


async def test_a_portal_with_an_inbound_webhook_is_asked_by_it(
    open_carer: OpenCarer, gateway: Gateway, sandbox: Sandbox, settings: Settings
) -> None:
    portal = await sandbox.add_portal()
    named = PortalSettings(
        member_id=portal.member_id,
        domain=portal.domain,
        application_tokens=("fake",),
        rest_webhook=portal.webhook_url,
    )
    async with open_carer(msgspec.structs.replace(settings, portals=(named,))) as carer:
        await carer.look(portal)
        assert await told(gateway) == []

        portal.faults.refusal = (401, "INVALID_CREDENTIALS", "Invalid request credentials")
        await carer.look(portal)
        assert [call.method for call in portal.calls] == ["profile", "profile"]

        portal.faults.clear()
        await carer.look(portal)

    assert await told(gateway) == [
        ("unauthorized", "unauthorized", False),
        ("recovered", "unauthorized", False),
    ]
    assert portal.webhook_code not in str(await troubles_on(gateway))


async def test_a_portal_that_can_be_asked_in_no_way_is_left_alone(
    carer: Carer, gateway: Gateway, portal: LivePortal
) -> None:
    await carer.look(portal)

    assert portal.calls == []
    assert await told(gateway) == []
