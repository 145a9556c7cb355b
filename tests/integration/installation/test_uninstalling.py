"""Uninstalling the application: who can end it, and what ends with it."""

from datetime import UTC, datetime

import msgspec
from structlog.testing import capture_logs

from gateway.bitrix24.connecting import connect
from gateway.portals.application_tokens import digest_of
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import PortalSettings, Settings
from tests.integration.installation.bodies import forged, post
from tests.integration.installation.deliveries import install
from tests.integration.installation.running import Gateway, open_gateway


async def test_uninstalling_ends_all_that_was_the_applications_and_nothing_else(
    gateway: Gateway, portal: LivePortal
) -> None:
    webhook = digest_of("fake-token-of-a-webhook")
    await gateway.registry.add(portal.member_id, "acme.example", webhook, now=datetime.now(UTC))
    await install(portal, gateway)

    await portal.uninstall(clean=False)
    await portal.sent()

    assert portal.deliveries[-1].answer == "ok"
    uninstalled = (await gateway.events())[-1]
    assert (uninstalled.id, uninstalled.type) == (
        portal.deliveries[-1].event_id,
        "bitrix24.app.uninstalled",
    )
    (left,) = (await gateway.registry.read()).registrations
    assert left.digest == webhook
    assert not gateway.directory.verify(portal.member_id, portal.application_token)
    assert gateway.directory.verify(portal.member_id, "fake-token-of-a-webhook")
    async with connect(gateway.settings) as bitrix24:
        assert bitrix24.tokens is not None
        assert await bitrix24.tokens.read(portal.member_id) is None
    facts = await gateway.facts.of(portal.member_id)
    assert not facts.is_installed
    assert facts.erasure_due_since is None
    assert gateway.waiting() == []


async def test_an_uninstallation_with_clean_marks_the_data_for_erasure(
    gateway: Gateway, portal: LivePortal
) -> None:
    await install(portal, gateway)

    await portal.uninstall(clean=True)
    await portal.sent()

    due_since = (await gateway.facts.of(portal.member_id)).erasure_due_since
    assert due_since is not None

    await install(portal, gateway)

    facts = await gateway.facts.of(portal.member_id)
    assert facts.is_installed
    assert facts.erasure_due_since == due_since


async def test_a_webhooks_token_cannot_end_the_application(
    gateway: Gateway, portal: LivePortal
) -> None:
    token = "fake-token-of-a-webhook"
    webhook = digest_of(token)
    await gateway.registry.add(portal.member_id, "acme.example", webhook, now=datetime.now(UTC))
    await install(portal, gateway)
    await portal.uninstall(clean=True)
    await portal.sent()
    body = forged(portal.deliveries[-1].body, application_token=token)
    await install(portal, gateway)

    assert (await post(gateway.url, body)).status == 200

    facts = await gateway.facts.of(portal.member_id)
    assert facts.is_installed
    assert gateway.directory.verify(portal.member_id, portal.application_token)
    assert not gateway.directory.verify(portal.member_id, token)


async def test_an_uninstallation_is_believed_without_an_application_in_the_settings(
    gateway: Gateway, settings: Settings, portal: LivePortal
) -> None:
    await install(portal, gateway)
    await portal.uninstall(clean=True)
    await portal.sent()
    body = portal.deliveries[-1].body
    settled = PortalSettings(
        member_id=portal.member_id,
        domain="acme.example",
        application_tokens=(portal.application_token,),
    )
    plain = msgspec.structs.replace(
        settings, bitrix24=Settings().bitrix24, vault=Settings().vault, portals=(settled,)
    )
    async with open_gateway(plain) as other:
        with capture_logs() as logs:
            assert (await post(other.url, body)).status == 200

    warnings = [line for line in logs if line["log_level"] == "warning"]
    assert [line["event"] for line in warnings if line.get("member_id") == portal.member_id] == [
        "an uninstalled portal stands in the settings: take its token out of [[portals]]"
    ]
