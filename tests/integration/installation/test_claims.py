"""Installations whose claim cannot be proven: what is refused at once, and what is waited for."""

import asyncio

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.installation.bodies import forged, genuine, post
from tests.integration.installation.running import Gateway
from tests.integration.installation.traces import MADE_UP, nothing_is_left


async def test_a_token_that_an_ordinary_user_got_by_opening_the_application_registers_nothing(
    portal: LivePortal, gateway: Gateway, redis: Redis
) -> None:
    body = await genuine(portal)
    portal.users.add(7, name="Boris", last_name="Ivanov")
    opened = portal.open_page(user_id=7).form
    own = {"access_token": opened["AUTH_ID"], "refresh_token": opened["REFRESH_ID"]}

    with capture_logs() as logs:
        answered = await post(gateway.url, forged(body, **own, user_id="7"))

    assert (answered.status, answered.body) == (403, "forbidden")
    assert logs[-1]["why"] == "not_administrator"
    assert await nothing_is_left(gateway, redis)
    assert [call.method for call in portal.calls] == ["user.admin"]


@pytest.mark.parametrize(
    ("refusal", "why"),
    [
        ((403, "ACCESS_DENIED", "REST API is available only on commercial plans"), "not_in_plan"),
        ((403, "PAYMENT_REQUIRED", "Payment required"), "not_in_plan"),
        ((500, "PORTAL_DELETED", "Portal was deleted"), "portal_gone"),
        ((400, "ERROR_METHOD_NOT_FOUND", "Method not found!"), "refused_by_portal"),
    ],
)
async def test_what_lasts_is_refused_at_once_with_its_reason(
    portal: LivePortal, gateway: Gateway, redis: Redis, refusal: tuple[int, str, str], why: str
) -> None:
    body = await genuine(portal)
    portal.faults.refusal = refusal

    with capture_logs() as logs:
        answered = await post(gateway.url, body)

    assert (answered.status, answered.body) == (403, "forbidden")
    assert [line["why"] for line in logs if line["event"] == "delivery forbidden"] == [why]
    assert await nothing_is_left(gateway, redis)

    portal.faults.clear()
    assert (await post(gateway.url, body)).status == 200
    assert await gateway.registered() == [portal.member_id]


async def test_what_passes_is_waited_for(portal: LivePortal, gateway: Gateway) -> None:
    body = await genuine(portal)
    portal.faults.overload()

    assert (await post(gateway.url, body)).status == 503

    portal.faults.clear()
    await gateway.lifecycle.resume("install")
    assert await gateway.registered() == [portal.member_id]


@pytest.mark.parametrize("missing", ["access_token", "refresh_token", "application_token"])
async def test_without_a_token_nobody_is_asked(
    sandbox: Sandbox, portal: LivePortal, gateway: Gateway, redis: Redis, missing: str
) -> None:
    body = await genuine(portal)

    answers = [
        await post(gateway.url, forged(body, **{missing: value})) for value in (None, "", "a\nb")
    ]

    assert {(one.status, one.body) for one in answers} == {(403, "forbidden")}
    assert await nothing_is_left(gateway, redis)
    assert sandbox.authorization.calls == []


@pytest.mark.parametrize("member_id", [None, "", "../../etc", "x" * 65, "a:b", "a/b"])
async def test_what_is_no_portals_id_is_refused_at_once(
    sandbox: Sandbox, portal: LivePortal, gateway: Gateway, redis: Redis, member_id: str | None
) -> None:
    answered = await post(gateway.url, forged(await genuine(portal), member_id=member_id))

    assert (answered.status, answered.body) == (403, "forbidden")
    assert await nothing_is_left(gateway, redis)
    assert sandbox.authorization.calls == []


async def test_what_waits_on_the_disk_shows_no_token(
    sandbox: Sandbox, portal: LivePortal, gateway: Gateway
) -> None:
    body = await genuine(portal)
    sandbox.authorization.faults.is_down = True
    assert (await post(gateway.url, body)).status == 503

    (waiting,) = gateway.waiting()

    content = waiting.read_bytes()
    assert portal.application_token.encode() not in content
    assert b"fakeaccess" not in content
    assert b"fakerefresh" not in content
    assert waiting.stat().st_mode & 0o777 == 0o600


async def test_a_flood_of_forgeries_does_not_flood_the_authorization_server(
    sandbox: Sandbox, portal: LivePortal, gateway: Gateway
) -> None:
    body = await genuine(portal)
    sandbox.authorization.faults.delay_s = 0.05

    answers = await asyncio.gather(
        *(
            post(gateway.url, forged(body, access_token=f"{MADE_UP}{number}"))
            for number in range(90)
        )
    )

    assert {one.status for one in answers} == {403, 503}
    assert len(sandbox.authorization.calls) <= 25
    assert await gateway.registered() == []
