"""Calls to a portal that answers as real ones do: errors, limits, redirects, silence."""

import time

import pytest
from aiohttp import web

from gateway.bitrix24.batching import Command
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import (
    AccessDenied,
    MaybeDone,
    NoRest,
    NotFound,
    NotInPlan,
    PortalGone,
    PortalMoved,
    Unauthorized,
    Unavailable,
)
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.faults import error_page
from gateway.sandbox.live_portal import LivePortal
from tests.integration.bitrix24.conftest import (
    MEMBER_ID,
    always,
    methods_called,
    once,
    tokens_of,
    type_of_connect,
)

GET = "crm.timeline.comment.get"


ADD = "crm.timeline.comment.add"


async def test_call_brings_the_result(gateway: Bitrix24, portal: LivePortal) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="Hello")
    answer = await gateway.portal(MEMBER_ID).call(GET, {"id": comment_id})
    assert (answer.result["COMMENT"], answer.total) == ("Hello", None)
    asked = {"filter": {"ENTITY_TYPE": "deal", "ENTITY_ID": 15}}
    listed = await gateway.portal(MEMBER_ID).call("crm.timeline.comment.list", asked)
    assert (listed.result, listed.total) == ([answer.result], 1)


async def test_batch_tells_results_from_errors_by_name(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="Hello")
    found = await gateway.portal(MEMBER_ID).batch(
        {"there": Command(GET, {"id": comment_id}), "gone": Command(GET, {"id": 404})}
    )
    assert list(found) == ["there", "gone"]
    assert getattr(found["there"], "result", {})["COMMENT"] == "Hello"
    assert isinstance(found["gone"], NotFound)


@pytest.mark.parametrize("names", [["0", "1"], ["a", "b"]])
async def test_batch_without_errors_or_without_results_is_understood(
    gateway: Bitrix24, names: list[str]
) -> None:
    portal = gateway.portal(MEMBER_ID)
    fine = await portal.batch(dict.fromkeys(names, Command("profile")))
    wrong = await portal.batch(dict.fromkeys(names, Command(GET, {"id": 404})))
    assert [getattr(fine[name], "result", {})["ID"] for name in names] == ["1", "1"]
    assert [type(wrong[name]) for name in names] == [NotFound, NotFound]


async def test_batch_of_more_than_a_portal_takes_is_not_sent(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    with pytest.raises(ValueError, match="51 commands"):
        await gateway.portal(MEMBER_ID).batch({str(n): Command("app.info") for n in range(51)})
    assert not portal.calls


@pytest.mark.parametrize("kind", [NotFound, AccessDenied])
async def test_error_with_an_empty_code_is_an_error(
    gateway: Bitrix24, portal: LivePortal, kind: type[Exception]
) -> None:
    comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="Hello")
    portal.users.hide("deal", 15)
    with pytest.raises(kind):
        await gateway.portal(MEMBER_ID).call(GET, {"id": comment_id + (kind is NotFound)})
    assert [call.error for call in portal.calls] == [""]


async def test_renamed_portal_is_told_and_not_followed(
    connected: type_of_connect, sandbox: Sandbox, portal: LivePortal
) -> None:
    async with connected(webhook=portal.webhook_url) as gateway:
        await sandbox.rename(portal)
        with pytest.raises(PortalMoved) as told:
            await gateway.portal(MEMBER_ID).call("profile", is_repeatable=True)
    assert told.value.host == portal.domain
    assert portal.webhook_code not in str(told.value)
    assert [call.error for call in portal.calls] == ["moved"]


async def test_renamed_portal_is_found_by_what_the_authorization_server_says(
    connected: type_of_connect, sandbox: Sandbox, portal: LivePortal
) -> None:
    async with connected() as gateway:
        assert gateway.tokens is not None
        await gateway.tokens.install(tokens_of(portal, renewed_at=int(time.time()) - 90))
        await sandbox.rename(portal)
        await gateway.portal(MEMBER_ID).call("profile")
        kept = await gateway.tokens.read(MEMBER_ID)
        assert kept is not None
        assert kept.endpoint == portal.endpoint
        # Just asked, the authorization server is not asked again for each call.
        await sandbox.rename(portal)
        with pytest.raises(PortalMoved):
            await gateway.portal(MEMBER_ID).call("profile")
    assert [call.error for call in portal.calls] == ["moved", None, "moved"]


@pytest.mark.parametrize("status", [200, 403, 500, 502])
async def test_page_instead_of_an_answer_is_not_a_reason_to_do_it_twice(
    gateway: Bitrix24, portal: LivePortal, status: int
) -> None:
    portal.faults.page = status
    with pytest.raises(MaybeDone) as told:
        await gateway.portal(MEMBER_ID).call(ADD)
    assert "Sorry" not in str(told.value)
    assert methods_called(portal) == [ADD]


async def test_reading_is_tried_again_after_a_page_instead_of_an_answer(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    portal.faults.mood = once(lambda: error_page(502))
    await gateway.portal(MEMBER_ID).call("profile", is_repeatable=True)
    assert methods_called(portal) == ["profile", "profile"]


async def test_object_without_a_result_is_no_success(gateway: Bitrix24, portal: LivePortal) -> None:
    portal.faults.mood = always(lambda: web.json_response({"time": {}}))
    with pytest.raises(MaybeDone):
        await gateway.portal(MEMBER_ID).call("app.info")


async def test_lost_answer_is_not_a_reason_to_do_it_twice(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    portal.faults.loses_answers = True
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 1, "COMMENT": "once"}
    with pytest.raises(MaybeDone):
        await gateway.portal(MEMBER_ID).call(ADD, {"fields": fields})
    assert methods_called(portal) == [ADD]
    assert portal.comments.find(1).text == "once"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("wrong_licence", NoRest), ("overload", Unavailable), ("deleted", PortalGone)],
)
async def test_portal_as_a_whole_may_refuse(
    gateway: Bitrix24, portal: LivePortal, fault: str, kind: type[Exception]
) -> None:
    getattr(portal.faults, fault)()
    with pytest.raises(kind):
        await gateway.portal(MEMBER_ID).call("app.info")


async def test_method_beyond_the_plan_says_so(gateway: Bitrix24, sandbox: Sandbox) -> None:
    small = await sandbox.add_portal(plan="basic")
    await small.install(None)
    assert gateway.tokens is not None
    await gateway.tokens.install(tokens_of(small))
    with pytest.raises(NotInPlan):
        await gateway.portal(small.member_id).call("event.offline.get", {"clear": 0})


async def test_slow_portal_runs_into_the_time_out(
    connected: type_of_connect, portal: LivePortal
) -> None:
    portal.faults.delay_s = 60
    async with connected(request_timeout_s=0.2, webhook=portal.webhook_url) as hasty:
        with pytest.raises(MaybeDone, match="TimeoutError"):
            await hasty.portal(MEMBER_ID).call("profile")


async def test_answer_beyond_the_cap_is_not_read(
    connected: type_of_connect, portal: LivePortal
) -> None:
    portal.faults.mood = always(lambda: web.json_response({"result": "x" * 100_000}))
    async with connected(max_answer_bytes=50_000, webhook=portal.webhook_url) as small:
        with pytest.raises(MaybeDone, match="larger than 50000 bytes"):
            await small.portal(MEMBER_ID).call("profile")


async def test_portal_out_of_reach_was_certainly_not_called(
    connected: type_of_connect, unused_tcp_port: int
) -> None:
    nobody = f"http://127.0.0.1:{unused_tcp_port}/rest/1/fakecode/"
    async with connected(webhook=nobody, call_timeout_s=0.5) as gateway:
        with pytest.raises(Unavailable) as told:
            await gateway.portal(MEMBER_ID).call(ADD)
    assert not isinstance(told.value, MaybeDone)


async def test_inbound_webhook_serves_without_an_application(
    connected: type_of_connect, portal: LivePortal
) -> None:
    async with connected(webhook=portal.webhook_url, client_id="", vault_keys=()) as gateway:
        assert gateway.tokens is None
        comment_id = portal.comments.add(entity_type="deal", entity_id=15, text="Hello")
        answer = await gateway.portal(MEMBER_ID).call(GET, {"id": comment_id})
        assert answer.result["COMMENT"] == "Hello"
        with pytest.raises(Unauthorized):
            gateway.portal("another")
        with pytest.raises(Unauthorized) as told:
            await gateway.portal(MEMBER_ID).call("event.get")
    assert told.value.code == "wrong_auth_type"


async def test_webhook_that_was_revoked_is_the_operators_business(
    connected: type_of_connect, portal: LivePortal
) -> None:
    revoked = portal.webhook_url.replace(portal.webhook_code, "otherfakecode")
    async with connected(webhook=revoked) as gateway:
        with pytest.raises(Unauthorized):
            await gateway.portal(MEMBER_ID).call("profile")
    assert methods_called(portal) == ["profile"]
