"""Who may call: tokens and their renewal, webhooks, limits; and how parameters may be written."""

from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.sandbox.conftest import Call, Handler, Told


async def ask(session: aiohttp.ClientSession, url: str, **parameters: str) -> Told:
    async with session.get(url, params=parameters, allow_redirects=False) as response:
        return Told(response.status, msgspec.json.decode(await response.read()))


async def renewed(
    session: aiohttp.ClientSession, sandbox: Sandbox, token: str, **changes: str
) -> Told:
    parameters = {
        "grant_type": "refresh_token",
        "client_id": sandbox.application.client_id,
        "client_secret": sandbox.application.client_secret,
        "refresh_token": token,
    }
    return await ask(session, f"{sandbox.authorization_url}oauth/token/", **parameters | changes)


@pytest.fixture
def refresh_token(portal: LivePortal) -> str:
    return portal.open_page().form["REFRESH_ID"]


async def test_refresh_token_is_good_once(
    session: aiohttp.ClientSession, sandbox: Sandbox, portal: LivePortal, refresh_token: str
) -> None:
    first = await renewed(session, sandbox, refresh_token)
    again = await renewed(session, sandbox, refresh_token)
    second = await renewed(session, sandbox, first.tree["refresh_token"])

    assert (first.status, again.status, second.status) == (200, 400, 200)
    assert again.tree["error"] == "invalid_grant"
    assert first.tree["member_id"] == portal.member_id
    assert first.tree["client_endpoint"] == portal.endpoint
    assert first.tree["expires_in"] == 3600
    assert first.tree["user_id"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "fake"}, 200, "wrong_client"),
        ({"client_id": "local.nobody"}, 200, "wrong_client"),
        ({"grant_type": "password"}, 400, "invalid_request"),
        ({"refresh_token": ""}, 400, "invalid_request"),
        ({"refresh_token": "fake"}, 400, "invalid_grant"),
    ],
)
async def test_refresh_is_refused_by_code(
    session: aiohttp.ClientSession,
    sandbox: Sandbox,
    refresh_token: str,
    changes: dict[str, str],
    status: int,
    error: str,
) -> None:
    told = await renewed(session, sandbox, refresh_token, **changes)

    assert (told.status, told.tree["error"]) == (status, error)


async def test_token_of_one_application_is_not_renewed_by_another(
    session: aiohttp.ClientSession, sandbox: Sandbox, refresh_token: str
) -> None:
    other = sandbox.add_application()
    own = {"client_id": other.client_id, "client_secret": other.client_secret}

    assert (await renewed(session, sandbox, refresh_token, **own)).tree["error"] == "invalid_grant"


async def test_token_says_whose_it_is(
    session: aiohttp.ClientSession, sandbox: Sandbox, portal: LivePortal, token: str
) -> None:
    for path in ("rest/app.info", "rest/app.info/", "rest/app.info.json"):
        told = await ask(session, f"{sandbox.authorization_url}{path}", auth=token)
        assert told.status == 200
        assert told.tree["result"]["client_id"] == sandbox.application.client_id
        assert told.tree["result"]["install"]["member_id"] == portal.member_id
        assert told.tree["result"]["install"]["client_endpoint"] == portal.endpoint
        assert told.tree["result"]["user_id"] == 1


async def test_token_of_another_application_says_so(
    session: aiohttp.ClientSession, sandbox: Sandbox, portal: LivePortal
) -> None:
    other = sandbox.add_application()
    await portal.install(None, application=other)
    token = portal.open_page(application=other).form["AUTH_ID"]

    told = await ask(session, f"{sandbox.authorization_url}rest/app.info", auth=token)

    assert told.tree["result"]["client_id"] == other.client_id


async def test_token_expires_and_stays_so_until_it_is_renewed(
    session: aiohttp.ClientSession,
    sandbox: Sandbox,
    portal: LivePortal,
    call: Call,
    token: str,
    refresh_token: str,
) -> None:
    portal.expire_tokens()
    told = await call("profile")
    asked = await ask(session, f"{sandbox.authorization_url}rest/app.info", auth=token)
    fresh = (await renewed(session, sandbox, refresh_token)).tree["access_token"]

    assert (told.status, told.tree["error"]) == (401, "expired_token")
    assert (asked.status, asked.tree["error"]) == (401, "expired_token")
    assert (await call("profile", auth=fresh)).status == 200


async def test_token_expires_after_an_hour(handler: Handler) -> None:
    now = [1_700_000_000.0]
    async with open_sandbox(clock=lambda: now[0]) as sandbox, aiohttp.ClientSession() as session:
        portal = await sandbox.add_portal()
        await portal.install(None)
        token = portal.open_page().form["AUTH_ID"]
        now[0] += 3599
        assert (await ask(session, f"{portal.endpoint}profile", auth=token)).status == 200
        now[0] += 1
        assert (await ask(session, f"{portal.endpoint}profile", auth=token)).status == 401


async def test_token_is_good_in_its_portal_only(sandbox: Sandbox, call: Call) -> None:
    other = await sandbox.add_portal()

    told = await call("profile", at=other.endpoint)

    assert (told.status, told.tree["error"]) == (401, "NO_AUTH_FOUND")


async def test_webhook_calls_what_is_not_for_applications(
    session: aiohttp.ClientSession, portal: LivePortal
) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=1, text="x")
    url = portal.webhook_url

    got = await ask(session, f"{url}crm.timeline.comment.get.json", id=str(comment_id))
    bind = await ask(session, f"{url}event.bind", event="ONAPPTEST")
    info = await ask(session, f"{url}app.info")
    revoked = await ask(session, f"{portal.endpoint}1/wrongcode/profile")

    assert got.tree["result"]["COMMENT"] == "x"
    assert (bind.status, bind.tree["error"]) == (403, "WRONG_AUTH_TYPE")
    assert (info.status, info.tree["error"]) == (403, "ACCESS_DENIED")
    assert (revoked.status, revoked.tree["error"]) == (401, "INVALID_CREDENTIALS")


async def test_parameters_and_token_may_be_written_in_every_way(
    session: aiohttp.ClientSession, portal: LivePortal, token: str
) -> None:
    portal.comments.add(entity_type="deal", entity_id=15, text="x")
    url = f"{portal.endpoint}crm.timeline.comment.list"
    asked = {"filter[ENTITY_TYPE]": "deal", "filter[entity_id]": "15"}
    tree = {"FILTER": {"entity_type": "deal", "ENTITY_ID": 15}}
    bearer = {"Authorization": f"Bearer {token}"}
    ways: list[dict[str, Any]] = [
        {"method": "GET", "params": asked | {"auth": token}},
        {"method": "POST", "data": asked | {"access_token": token}},
        {"method": "POST", "json": tree, "headers": bearer},
        {"method": "POST", "data": asked, "params": {"AUTH": token}},
    ]
    for way in ways:
        async with session.request(url=url, **way) as response:
            told = msgspec.json.decode(await response.read())
            assert (response.status, told.get("total")) == (200, 1), told
    assert all(token not in str(seen) for seen in portal.calls)


async def test_unknown_method_is_not_found(call: Call) -> None:
    told = await call("crm.timeline.comment.burn")

    assert (told.status, told.tree["error"]) == (404, "ERROR_METHOD_NOT_FOUND")


async def test_batch_takes_fifty_and_no_batch(portal: LivePortal, call: Call) -> None:
    commands = [f"crm.timeline.comment.get?id={number}" for number in range(51)]
    told = (await call("batch", cmd=commands)).tree["result"]
    nested = (await call("batch", cmd={"a": "batch?cmd[b]=profile"})).tree["result"]
    halted = (await call("batch", halt=1, cmd={"a": "nonsense", "b": "profile"})).tree["result"]

    assert told["result"] == []
    assert [one["error"] for one in told["result_error"]] == [""] * 50 + [
        "ERROR_BATCH_LENGTH_EXCEEDED"
    ]
    assert nested["result_error"]["a"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
    assert list(halted["result_error"]) == ["a"]
    assert halted["result"] == []


async def test_bucket_overflows_and_leaks(sandbox: Sandbox, call: Call) -> None:
    small = await sandbox.add_portal(requests_per_s=20, burst=3)
    await small.install(None)
    token = small.open_page().form["AUTH_ID"]

    told = [await call("profile", auth=token, at=small.endpoint) for _ in range(10)]
    refused = [one for one in told if one.status != 200]

    assert [one.status for one in told[:3]] == [200] * 3
    assert {(one.status, one.tree["error"]) for one in refused} == {(503, "QUERY_LIMIT_EXCEEDED")}
    while (await call("profile", auth=token, at=small.endpoint)).status != 200:
        pass


async def test_method_that_worked_for_too_long_is_blocked_alone(
    portal: LivePortal, call: Call
) -> None:
    portal.costs_s["scope"] = portal.plan.operating_limit_s / 2 + 1
    first = await call("scope")
    assert first.tree["time"]["operating"] > 240
    assert (await call("scope")).status == 200
    blocked = await call("scope")
    within = (await call("batch", cmd={"a": "scope", "b": "profile"})).tree["result"]

    assert (blocked.status, blocked.tree["error"]) == (429, "OPERATION_TIME_LIMIT")
    left_s = blocked.tree["time"]["operating_reset_at"] - blocked.tree["time"]["finish"]
    assert 530 < left_s <= 600
    assert within["result_error"]["a"]["error"] == "OPERATION_TIME_LIMIT"
    assert list(within["result"]) == ["b"]
    assert (await call("profile")).status == 200


async def test_renamed_portal_redirects_with_a_page(
    session: aiohttp.ClientSession, sandbox: Sandbox, portal: LivePortal, token: str
) -> None:
    old = portal.endpoint
    await sandbox.rename(portal)

    async with session.post(f"{old}profile?x=1", allow_redirects=False) as response:
        assert response.status == 302
        assert response.content_type == "text/html"
        assert response.headers["Location"] == f"{portal.endpoint}profile?x=1"
    assert (await ask(session, f"{portal.endpoint}profile", auth=token)).status == 200
    told = await ask(session, f"{sandbox.authorization_url}rest/app.info", auth=token)
    assert told.tree["result"]["install"]["client_endpoint"] == portal.endpoint
