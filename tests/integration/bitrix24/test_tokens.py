"""Tokens at rest, and their refresh by several processes at once."""

import asyncio
import time

import pytest
from aiohttp import web

from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import TokenRejected, Unauthorized, Unavailable
from gateway.bitrix24.tokens import REFRESH_LIFE_S
from gateway.local.redis_server import RedisServer
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.bitrix24.conftest import (
    MEMBER_ID,
    always,
    refusal,
    tokens_of,
    type_of_connect,
)
from tests.integration.bitrix24.token_stores import kept_by, refreshes, store_of
from tests.support.eventually import eventually


async def test_expired_token_is_refreshed_and_stored(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    before = await kept_by(gateway)
    portal.expire_tokens()
    fields = {"ENTITY_TYPE": "deal", "ENTITY_ID": 15, "COMMENT": "once"}
    await gateway.portal(MEMBER_ID).call("crm.timeline.comment.add", {"fields": fields})
    assert refreshes(sandbox) == [None]
    kept = await kept_by(gateway)
    assert kept.access_token != before.access_token
    assert kept.refresh_token != before.refresh_token


async def test_many_calls_of_two_processes_refresh_once(
    gateway: Bitrix24, connected: type_of_connect, portal: LivePortal, sandbox: Sandbox
) -> None:
    portal.expire_tokens()
    sandbox.authorization.faults.delay_s = 0.3
    async with connected() as other:
        await asyncio.gather(
            *(
                each.portal(MEMBER_ID).call("app.info")
                for _ in range(20)
                for each in (gateway, other)
            )
        )
    assert refreshes(sandbox) == [None]


async def test_refresh_rotates_again_and_again(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    for _ in range(3):
        portal.expire_tokens()
        await gateway.portal(MEMBER_ID).call("app.info")
    assert refreshes(sandbox) == [None] * 3


async def test_pair_is_stored_even_if_everybody_who_waits_for_it_goes(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    before = await kept_by(gateway)
    portal.expire_tokens()
    sandbox.authorization.faults.delay_s = 0.3
    call = asyncio.create_task(gateway.portal(MEMBER_ID).call("app.info"))
    await eventually(lambda: sandbox.authorization.calls)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    async def is_stored() -> bool:
        return await kept_by(gateway) != before

    await eventually(is_stored)


async def test_pair_that_was_issued_while_redis_died_is_stored_when_it_is_back(
    own_server: RedisServer,
    connected: type_of_connect,
    portal: LivePortal,
    capsys: pytest.CaptureFixture[str],
    sandbox: Sandbox,
) -> None:
    sandbox.authorization.faults.delay_s = 0.3
    async with connected(at=own_server.url) as gateway:
        installed = tokens_of(portal)
        await store_of(gateway).install(installed)
        portal.expire_tokens()
        call = asyncio.create_task(gateway.portal(MEMBER_ID).call("app.info"))
        await eventually(lambda: sandbox.authorization.calls)
        own_server.kill()
        await eventually(lambda: "wait for Redis" in capsys.readouterr().out)
        await asyncio.to_thread(own_server.start)
        await call
        assert (await kept_by(gateway)).refresh_token != installed.refresh_token
    assert refreshes(sandbox) == [None]


async def test_token_that_stays_rejected_is_refreshed_once_only(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    portal.faults.mood = always(lambda: refusal(401, "EXPIRED_TOKEN", "expired"))
    with pytest.raises(TokenRejected):
        await gateway.portal(MEMBER_ID).call("app.info")
    assert refreshes(sandbox) == [None]


async def test_grant_that_is_gone_asks_for_the_operator(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    another = tokens_of(portal, refresh_token="fake-refresh-of-nobody")
    await store_of(gateway).install(another)
    portal.expire_tokens()
    with pytest.raises(Unauthorized) as told:
        await gateway.portal(MEMBER_ID).call("app.info")
    assert told.value.code == "invalid_grant"


async def test_wrong_client_is_an_error_although_its_status_is_200(
    connected: type_of_connect, gateway: Bitrix24, portal: LivePortal
) -> None:
    portal.expire_tokens()
    async with connected(client_secret="fake-other") as wrong:
        with pytest.raises(Unauthorized) as told:
            await wrong.portal(MEMBER_ID).call("app.info")
    assert told.value.code == "wrong_client"


async def test_authorization_server_in_trouble_is_a_reason_to_try_later(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    portal.expire_tokens()
    sandbox.authorization.faults.mood = always(lambda: web.Response(status=502, text="<html>"))
    with pytest.raises(Unavailable):
        await gateway.portal(MEMBER_ID).call("app.info")
    sandbox.authorization.faults.mood = None
    await gateway.portal(MEMBER_ID).call("app.info")


async def test_authorization_server_that_redirects_is_not_followed(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    async with open_sandbox() as elsewhere:
        portal.expire_tokens()
        away = f"{elsewhere.authorization_url}oauth/token/"
        moved = web.Response(status=302, headers={"Location": away})
        sandbox.authorization.faults.mood = always(lambda: moved)
        with pytest.raises(Unavailable):
            await gateway.portal(MEMBER_ID).call("app.info")
        assert not elsewhere.authorization.calls


async def test_refresh_that_was_overtaken_by_an_installation_writes_nothing(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    store = store_of(gateway)
    epoch = await store.lock(MEMBER_ID, "slow", life_s=60)
    await store.install(tokens_of(portal, refresh_token="fake-refresh-installed"))
    late = tokens_of(portal, refresh_token="fake-refresh-late")
    kept = await store.renew(late, epoch=epoch)
    assert kept is not None
    assert kept.refresh_token == "fake-refresh-installed"


async def test_refresh_that_was_overtaken_by_another_writes_nothing(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    store = store_of(gateway)
    slow = await store.lock(MEMBER_ID, "slow", life_s=60)
    await store.unlock(MEMBER_ID, "slow", slow)
    quick = await store.lock(MEMBER_ID, "quick", life_s=60)
    assert quick > slow
    await store.renew(tokens_of(portal, refresh_token="fake-refresh-quick"), epoch=quick)
    await store.renew(tokens_of(portal, refresh_token="fake-refresh-slow"), epoch=slow)
    assert (await kept_by(gateway)).refresh_token == "fake-refresh-quick"


async def test_grant_is_kept_alive_half_way_through_its_life(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    old = int(time.time()) - REFRESH_LIFE_S // 2 - 60
    await store_of(gateway).install(tokens_of(portal, renewed_at=old))
    await gateway.portal(MEMBER_ID).call("app.info")
    assert refreshes(sandbox) == [None]


async def test_grant_that_cannot_be_renewed_yet_does_not_stop_calls(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    old = int(time.time()) - REFRESH_LIFE_S // 2 - 60
    await store_of(gateway).install(tokens_of(portal, renewed_at=old))
    sandbox.authorization.faults.mood = always(lambda: web.Response(status=502))
    for _ in range(3):
        await gateway.portal(MEMBER_ID).call("app.info")
    assert refreshes(sandbox) == ["as the test says"]
