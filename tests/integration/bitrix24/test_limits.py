"""Calls to a portal that has limits: who waits, for how long, and who does not."""

import asyncio
import time
from typing import Any

import pytest
from aiohttp import web

from gateway.bitrix24.batching import Command
from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import (
    OperationTimeLimit,
    TooManyRequests,
)
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.bitrix24.conftest import (
    MEMBER_ID,
    methods_called,
    once,
    refusal,
    tokens_of,
    type_of_connect,
)


async def test_only_the_commands_that_a_limit_stopped_are_sent_again(
    gateway: Bitrix24, portal: LivePortal
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

    portal.faults.mood = once(half)
    found = await gateway.portal(MEMBER_ID).batch({"a": Command("profile"), "b": Command("scope")})
    assert getattr(found["a"], "result", None) == 1
    assert "crm" in getattr(found["b"], "result", ())
    assert [list(call.parameters["cmd"]) for call in portal.calls] == [["a", "b"], ["b"]]


async def test_two_gateways_at_the_limit_never_show_it_to_a_caller(
    connected: type_of_connect, sandbox: Sandbox
) -> None:
    busy = await sandbox.add_portal(member_id=MEMBER_ID, requests_per_s=200, burst=40)
    await busy.install(None)
    options: dict[str, Any] = {"requests_per_s": 200, "burst": 40}
    async with connected(**options) as one, connected(**options) as other:
        assert one.tokens is not None
        await one.tokens.install(tokens_of(busy))
        started = time.monotonic()
        answers = await asyncio.gather(
            *(each.portal(MEMBER_ID).call("app.info") for _ in range(100) for each in (one, other))
        )
        took_s = time.monotonic() - started
    assert len(answers) == 200
    assert [call.error for call in busy.calls].count(None) == 200
    # 36 at once, and 164 at 200 a second.
    assert took_s > 0.8


async def test_limit_that_others_used_up_delays_a_call_that_is_done_once(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    portal.faults.mood = once(lambda: refusal(503, "query_limit_exceeded", "Too many requests"))
    started = time.monotonic()
    await gateway.portal(MEMBER_ID).call("profile")
    assert methods_called(portal) == ["profile", "profile"]
    assert time.monotonic() - started > 0.3


async def test_method_without_time_left_is_held_for_all_and_others_are_not(
    gateway: Bitrix24, connected: type_of_connect, portal: LivePortal
) -> None:
    portal.costs_s["profile"] = portal.plan.operating_limit_s + 1
    await gateway.portal(MEMBER_ID).call("profile")
    with pytest.raises(OperationTimeLimit) as first:
        await gateway.portal(MEMBER_ID).call("profile", is_repeatable=True)
    # In ten buckets of a minute each, the oldest of which is this minute's.
    assert 530 < first.value.retry_in_s <= 600
    async with connected() as other:
        with pytest.raises(OperationTimeLimit):
            await other.portal(MEMBER_ID).call("profile")
        with pytest.raises(OperationTimeLimit):
            await other.portal(MEMBER_ID).batch({"a": Command("profile")})
        await other.portal(MEMBER_ID).call("scope")
    assert methods_called(portal) == ["profile", "profile", "scope"]


async def test_call_that_could_not_go_in_time_says_when_it_can(
    connected: type_of_connect, portal: LivePortal
) -> None:
    async with connected(
        requests_per_s=0.1, burst=1, call_timeout_s=1.0, webhook=portal.webhook_url
    ) as slow:
        await slow.portal(MEMBER_ID).call("profile")
        with pytest.raises(TooManyRequests) as refused:
            await slow.portal(MEMBER_ID).call("profile")
    assert 8 < refused.value.retry_in_s <= 10
    assert methods_called(portal) == ["profile"]


async def test_one_portal_at_its_limit_does_not_slow_another(
    connected: type_of_connect, portal: LivePortal, sandbox: Sandbox
) -> None:
    another = await sandbox.add_portal()
    await another.install(None)
    async with connected(requests_per_s=0.1, burst=1) as slow:
        assert slow.tokens is not None
        await slow.tokens.install(tokens_of(portal))
        await slow.tokens.install(tokens_of(another))
        await slow.portal(MEMBER_ID).call("app.info")
        async with asyncio.timeout(2):
            await slow.portal(another.member_id).call("app.info")
