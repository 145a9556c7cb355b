"""A new installation takes the place of the former one; and not every portal may install."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gateway.portals.application_tokens import digest_of
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import Settings
from tests.integration.installation.bodies import forged, genuine, post
from tests.integration.installation.running import Gateway, open_gateway
from tests.support.eventually import eventually

FORMER = "fake0former0application0token000"
WEBHOOK = "fake0token0of0a0webhook000000000"


async def install_twice(portal: LivePortal, gateway: Gateway) -> None:
    """First with another application token, as if the portal had changed it since."""
    webhook = digest_of(WEBHOOK)
    await gateway.registry.add(portal.member_id, portal.domain, webhook, now=datetime.now(UTC))
    first = forged(await genuine(portal), application_token=FORMER)
    assert (await post(gateway.url, first)).status == 200
    assert gateway.directory.verify(portal.member_id, FORMER)
    await portal.install(gateway.url)
    await portal.sent()
    assert portal.deliveries[-1].answer == "ok"


async def test_the_former_application_token_lets_in_what_is_under_way_and_then_ends(
    portal: LivePortal, gateway: Gateway
) -> None:
    await install_twice(portal, gateway)

    for token in (FORMER, WEBHOOK, portal.application_token):
        assert gateway.directory.verify(portal.member_id, token)
    ends = {one.digest: one.ends_at for one in (await gateway.registry.read()).registrations}
    assert ends.keys() == {digest_of(one) for one in (FORMER, WEBHOOK, portal.application_token)}
    former_ends = ends.pop(digest_of(FORMER))
    assert former_ends is not None
    assert former_ends < datetime.now(UTC) + timedelta(minutes=10)
    assert list(ends.values()) == [None, None]


async def test_a_token_that_has_ended_lets_nobody_in(
    portal: LivePortal, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "gateway.installation.installer._FORMER_TOKEN_ENDS", timedelta(milliseconds=500)
    )
    await install_twice(portal, gateway)

    await eventually(lambda: gateway.directory.verify(portal.member_id, FORMER) is None)

    assert gateway.directory.verify(portal.member_id, WEBHOOK)
    assert gateway.directory.verify(portal.member_id, portal.application_token)


async def test_an_older_installation_that_had_to_wait_does_not_bring_its_token_back(
    portal: LivePortal, gateway: Gateway
) -> None:
    await install_twice(portal, gateway)
    facts = await gateway.facts.of(portal.member_id)
    assert facts.installed_at is not None
    later = facts.installed_at + timedelta(hours=1)
    await gateway.facts.learn(portal.member_id, installed_at=later)

    older = forged(await genuine(portal), application_token="fake0older0application0token0000")
    await post(gateway.url, older)

    assert not gateway.directory.verify(portal.member_id, "fake0older0application0token0000")
    known = await gateway.facts.of(portal.member_id)
    assert (known.digest, known.installed_at) == (facts.digest, later)


@pytest.fixture
async def gateway_of_others(settings: Settings) -> AsyncIterator[Gateway]:
    allowed = msgspec.structs.replace(settings.bitrix24, allow_portals=("other.bitrix24.example",))
    async with open_gateway(msgspec.structs.replace(settings, bitrix24=allowed)) as one:
        yield one


async def test_a_portal_that_may_not_install_is_refused(
    portal: LivePortal, gateway_of_others: Gateway
) -> None:
    await portal.install(gateway_of_others.url)
    await portal.sent()

    assert portal.deliveries[-1].answer == "forbidden"
    assert await gateway_of_others.registered() == []


@pytest.mark.parametrize("by", ["member_id", "domain"])
async def test_a_portal_that_may_install_is_known_by_its_id_or_its_domain(
    portal: LivePortal, settings: Settings, by: str
) -> None:
    name = {"member_id": portal.member_id, "domain": portal.endpoint.split("/")[2]}[by]
    allowed = msgspec.structs.replace(settings.bitrix24, allow_portals=(name.upper(),))
    async with open_gateway(msgspec.structs.replace(settings, bitrix24=allowed)) as gateway:
        await portal.install(gateway.url)
        await portal.sent()

        assert portal.deliveries[-1].answer == "ok"
