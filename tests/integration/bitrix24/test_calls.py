"""Calls to a portal that answers as real ones do: errors, limits, redirects, silence."""

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from gateway.bitrix24.batching import Command
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import (
    AccessDenied,
    MaybeDone,
    NotFound,
    OperationTimeLimit,
    PortalMoved,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from tests.integration.bitrix24.conftest import type_of_connect
from tests.integration.bitrix24.stand_in import (
    MEMBER_ID,
    WEBHOOK_CODE,
    Portal,
    always,
    error,
    hang_up,
    once,
)


async def test_call_brings_the_result(gateway: Bitrix24, portal: Portal) -> None:
    answer = await gateway.portal(MEMBER_ID).call("crm.timeline.comment.get", {"id": 999})
    assert answer.result == {"method": "crm.timeline.comment.get"}
    assert answer.total == 1
    assert portal.bodies == [{"id": 999, "auth": "fake-access-0"}]


async def test_batch_tells_results_from_errors_by_name(gateway: Bitrix24) -> None:
    found = await gateway.portal(MEMBER_ID).batch(
        {
            "there": Command("crm.timeline.comment.get", {"id": 1}),
            "gone": Command("crm.timeline.comment.get", {"id": 404}),
        }
    )
    assert list(found) == ["there", "gone"]
    assert getattr(found["there"], "result", None) == {
        "method": "crm.timeline.comment.get",
        "asked": {"id": "1"},
    }
    assert isinstance(found["gone"], NotFound)


async def test_batch_of_more_than_a_portal_takes_is_not_sent(
    gateway: Bitrix24, portal: Portal
) -> None:
    with pytest.raises(ValueError, match="51 commands"):
        await gateway.portal(MEMBER_ID).batch({str(n): Command("app.info") for n in range(51)})
    assert not portal.calls


async def test_only_the_commands_that_a_limit_stopped_are_sent_again(
    gateway: Bitrix24, portal: Portal
) -> None:
    def half() -> web.Response:
        limit = {"error": "OPERATION_TIME_LIMIT", "error_description": "Method is blocked"}
        reset = {"operating_reset_at": time.time() + 1.0, "finish": time.time()}
        result = {
            "result": {"a": 1},
            "result_error": {"b": limit},
            "result_time": {"b": reset},
        }
        return web.json_response({"result": result})

    portal.mood = once(half)
    found = await gateway.portal(MEMBER_ID).batch(
        {"a": Command("one.add"), "b": Command("two.add")}
    )
    assert getattr(found["a"], "result", None) == 1
    assert getattr(found["b"], "result", None) == {"method": "two.add", "asked": {}}
    assert [list(body["cmd"]) for body in portal.bodies] == [["a", "b"], ["b"]]


@pytest.mark.parametrize(
    ("description", "kind"), [("Not found.", NotFound), ("Access denied.", AccessDenied)]
)
async def test_error_with_an_empty_code_is_an_error(
    gateway: Bitrix24, portal: Portal, description: str, kind: type[Exception]
) -> None:
    portal.mood = always(lambda: error(400, "", description))
    with pytest.raises(kind):
        await gateway.portal(MEMBER_ID).call("crm.timeline.comment.get", {"id": 1})
    assert portal.calls.total() == 1


async def test_two_gateways_at_the_limit_never_show_it_to_a_caller(
    connected: type_of_connect,
) -> None:
    async with Portal(requests_per_s=200, burst=40) as busy:
        options: dict[str, Any] = {"requests_per_s": 200, "burst": 40}
        async with connected(**options) as one, connected(**options) as other:
            assert one.tokens is not None
            await one.tokens.install(busy.tokens())
            started = time.monotonic()
            answers = await asyncio.gather(
                *(
                    each.portal(MEMBER_ID).call("app.info")
                    for _ in range(100)
                    for each in (one, other)
                )
            )
            took_s = time.monotonic() - started
    assert len(answers) == 200
    assert busy.calls["app.info"] - busy.refusals == 200
    # 36 at once, and 164 at 200 a second.
    assert took_s > 0.8


async def test_limit_that_others_used_up_delays_a_call_that_is_done_once(
    gateway: Bitrix24, portal: Portal
) -> None:
    portal.mood = once(lambda: error(503, "query_limit_exceeded", "Too many requests"))
    started = time.monotonic()
    await gateway.portal(MEMBER_ID).call("crm.timeline.comment.add")
    assert portal.calls["crm.timeline.comment.add"] == 2
    assert time.monotonic() - started > 0.3


async def test_method_without_time_left_is_held_for_all_and_others_are_not(
    gateway: Bitrix24, connected: type_of_connect, portal: Portal
) -> None:
    now = time.time()
    limit = error(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.",
                  time={"operating_reset_at": now + 300, "finish": now})  # fmt: skip
    portal.mood = once(lambda: limit)
    with pytest.raises(OperationTimeLimit) as first:
        await gateway.portal(MEMBER_ID).call("crm.deal.list", is_repeatable=True)
    assert 290 < first.value.retry_in_s <= 300
    async with connected() as other:
        with pytest.raises(OperationTimeLimit):
            await other.portal(MEMBER_ID).call("crm.deal.list")
        with pytest.raises(OperationTimeLimit):
            await other.portal(MEMBER_ID).batch({"a": Command("crm.deal.list")})
        await other.portal(MEMBER_ID).call("crm.lead.list")
    assert portal.calls == {"crm.deal.list": 1, "crm.lead.list": 1}


async def test_call_that_could_not_go_in_time_says_when_it_can(
    connected: type_of_connect, portal: Portal
) -> None:
    async with connected(
        requests_per_s=0.1, burst=1, call_timeout_s=1.0, webhook=portal.webhook
    ) as slow:
        await slow.portal(MEMBER_ID).call("app.info")
        with pytest.raises(TooManyRequests) as refused:
            await slow.portal(MEMBER_ID).call("app.info")
    assert 8 < refused.value.retry_in_s <= 10
    assert portal.calls["app.info"] == 1


async def test_one_portal_at_its_limit_does_not_slow_another(
    connected: type_of_connect, portal: Portal
) -> None:
    async with connected(requests_per_s=0.1, burst=1) as slow:
        assert slow.tokens is not None
        await slow.tokens.install(portal.tokens())
        await slow.tokens.install(portal.tokens(member_id="another"))
        await slow.portal(MEMBER_ID).call("app.info")
        async with asyncio.timeout(2):
            await slow.portal("another").call("app.info")


async def test_renamed_portal_is_told_and_not_followed(gateway: Bitrix24, portal: Portal) -> None:
    moved = web.Response(
        status=302,
        headers={"Location": "https://new.example:8443/rest/1/fakecode/app.info.json"},
        text="<html>moved</html>",
        content_type="text/html",
    )
    portal.mood = always(lambda: moved)
    with pytest.raises(PortalMoved) as told:
        await gateway.portal(MEMBER_ID).call("app.info", is_repeatable=True)
    assert told.value.host == "new.example:8443"
    assert "fakecode" not in str(told.value)
    assert portal.calls.total() == 1


@pytest.mark.parametrize("status", [200, 403, 500, 502])
async def test_page_instead_of_an_answer_is_not_a_reason_to_do_it_twice(
    gateway: Bitrix24, portal: Portal, status: int
) -> None:
    page = "<html>Sorry</html>"
    portal.mood = always(lambda: web.Response(status=status, text=page, content_type="text/html"))
    with pytest.raises(MaybeDone) as told:
        await gateway.portal(MEMBER_ID).call("crm.timeline.comment.add")
    assert "Sorry" not in str(told.value)
    assert portal.calls["crm.timeline.comment.add"] == 1


async def test_reading_is_tried_again_after_a_page_instead_of_an_answer(
    gateway: Bitrix24, portal: Portal
) -> None:
    portal.mood = once(lambda: web.Response(status=502, text="<html>", content_type="text/html"))
    await gateway.portal(MEMBER_ID).call("app.info", is_repeatable=True)
    assert portal.calls["app.info"] == 2


async def test_object_without_a_result_is_no_success(gateway: Bitrix24, portal: Portal) -> None:
    portal.mood = always(lambda: web.json_response({"time": {}}))
    with pytest.raises(MaybeDone):
        await gateway.portal(MEMBER_ID).call("app.info")


async def test_lost_answer_is_not_a_reason_to_do_it_twice(
    gateway: Bitrix24, portal: Portal
) -> None:
    portal.mood = hang_up
    with pytest.raises(MaybeDone):
        await gateway.portal(MEMBER_ID).call("crm.timeline.comment.add")
    assert portal.calls["crm.timeline.comment.add"] == 1


async def test_slow_portal_runs_into_the_time_out(
    connected: type_of_connect, portal: Portal
) -> None:
    ended = asyncio.Event()

    async def wait(_request: web.Request, _body: dict[str, Any]) -> None:
        await ended.wait()

    portal.mood = wait
    async with connected(request_timeout_s=0.2, webhook=portal.webhook) as hasty:
        with pytest.raises(MaybeDone, match="TimeoutError"):
            await hasty.portal(MEMBER_ID).call("app.info")
    ended.set()


async def test_answer_beyond_the_cap_is_not_read(
    connected: type_of_connect, portal: Portal
) -> None:
    portal.mood = always(lambda: web.json_response({"result": "x" * 100_000}))
    async with connected(max_answer_bytes=50_000, webhook=portal.webhook) as small:
        with pytest.raises(MaybeDone, match="too large"):
            await small.portal(MEMBER_ID).call("app.info")


async def test_portal_out_of_reach_was_certainly_not_called(
    connected: type_of_connect, unused_tcp_port: int
) -> None:
    nobody = f"http://127.0.0.1:{unused_tcp_port}/rest/1/{WEBHOOK_CODE}/"
    async with connected(webhook=nobody, call_timeout_s=0.5) as gateway:
        with pytest.raises(Unavailable) as told:
            await gateway.portal(MEMBER_ID).call("crm.timeline.comment.add")
    assert not isinstance(told.value, MaybeDone)


async def test_inbound_webhook_serves_without_an_application(
    connected: type_of_connect, portal: Portal
) -> None:
    async with connected(webhook=portal.webhook, client_id="", vault_keys=()) as gateway:
        assert gateway.tokens is None
        await gateway.portal(MEMBER_ID).call("app.info", {"id": 1})
        with pytest.raises(Unauthorized):
            gateway.portal("another")
    assert portal.bodies == [{"id": 1}]


async def test_webhook_that_was_revoked_is_the_operators_business(
    connected: type_of_connect, portal: Portal
) -> None:
    revoked = portal.webhook.replace(WEBHOOK_CODE, "otherfakecode")
    async with connected(webhook=revoked) as gateway:
        with pytest.raises(Unauthorized):
            await gateway.portal(MEMBER_ID).call("app.info")
    assert portal.calls["app.info"] == 1
