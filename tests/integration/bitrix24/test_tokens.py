"""Tokens at rest, and their refresh by several processes at once."""

import asyncio
import time
import traceback
from typing import Any

import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import Bitrix24Error, TokenRejected, Unauthorized, Unavailable
from gateway.bitrix24.token_store import TokenStore
from gateway.bitrix24.tokens import REFRESH_LIFE_S, EventToken, Tokens
from gateway.errors import OperatorError
from gateway.local.server import RedisServer
from tests.integration.bitrix24.conftest import type_of_connect
from tests.integration.bitrix24.stand_in import (
    CLIENT_ID,
    CLIENT_SECRET,
    MEMBER_ID,
    WEBHOOK_CODE,
    Portal,
    always,
    error,
    hang_up,
)


def store_of(gateway: Bitrix24) -> TokenStore:
    assert gateway.tokens is not None
    return gateway.tokens


async def kept_by(gateway: Bitrix24) -> Tokens:
    tokens = await store_of(gateway).read(MEMBER_ID)
    assert tokens is not None
    return tokens


async def test_expired_token_is_refreshed_and_stored(gateway: Bitrix24, portal: Portal) -> None:
    portal.expire()
    await gateway.portal(MEMBER_ID).call("crm.timeline.comment.add")
    assert portal.refreshes == 1
    kept = await kept_by(gateway)
    assert (kept.access_token, kept.refresh_token) == ("fake-access-1", "fake-refresh-1")
    assert portal.refreshed_by[0]["client_id"] == CLIENT_ID


async def test_many_calls_of_two_processes_refresh_once(
    gateway: Bitrix24, connected: type_of_connect, portal: Portal
) -> None:
    portal.expire()
    portal.refresh_pause_s = 0.3
    async with connected() as other:
        await asyncio.gather(
            *(
                each.portal(MEMBER_ID).call("app.info")
                for _ in range(20)
                for each in (gateway, other)
            )
        )
    assert portal.refreshes == len(portal.refreshed_by) == 1


async def test_refresh_rotates_again_and_again(gateway: Bitrix24, portal: Portal) -> None:
    for _ in range(3):
        portal.expire()
        await gateway.portal(MEMBER_ID).call("app.info")
    assert portal.refreshes == 3


async def test_pair_is_stored_even_if_everybody_who_waits_for_it_goes(
    gateway: Bitrix24, portal: Portal
) -> None:
    portal.expire()
    portal.refresh_pause_s = 0.3
    call = asyncio.create_task(gateway.portal(MEMBER_ID).call("app.info"))
    while portal.refreshes == 0:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        while (await kept_by(gateway)).refresh_token != "fake-refresh-1":
            await asyncio.sleep(0.02)


async def test_pair_that_was_issued_while_redis_died_is_stored_when_it_is_back(
    own_server: RedisServer,
    connected: type_of_connect,
    portal: Portal,
    capsys: pytest.CaptureFixture[str],
) -> None:
    portal.refresh_pause_s = 0.3
    async with connected(at=own_server.url) as gateway:
        await store_of(gateway).install(portal.tokens())
        portal.expire()
        call = asyncio.create_task(gateway.portal(MEMBER_ID).call("app.info"))
        while portal.refreshes == 0:
            await asyncio.sleep(0.01)
        own_server.kill()
        async with asyncio.timeout(10):
            while "wait for Redis" not in capsys.readouterr().out:
                await asyncio.sleep(0.02)
        await asyncio.to_thread(own_server.start)
        await call
        assert (await kept_by(gateway)).refresh_token == "fake-refresh-1"
    assert portal.refreshes == 1


async def test_token_that_stays_rejected_is_refreshed_once_only(
    gateway: Bitrix24, portal: Portal
) -> None:
    portal.mood = always(lambda: error(401, "EXPIRED_TOKEN", "expired"))
    with pytest.raises(TokenRejected):
        await gateway.portal(MEMBER_ID).call("app.info")
    assert portal.refreshes == 1


async def test_grant_that_is_gone_asks_for_the_operator(gateway: Bitrix24, portal: Portal) -> None:
    portal.expire()
    portal.refresh_token = "fake-refresh-of-somebody-else"
    with pytest.raises(Unauthorized) as told:
        await gateway.portal(MEMBER_ID).call("app.info")
    assert told.value.code == "invalid_grant"


async def test_wrong_client_is_an_error_although_its_status_is_200(
    connected: type_of_connect, gateway: Bitrix24, portal: Portal
) -> None:
    portal.expire()
    async with connected(client_secret="fake-other") as wrong:
        with pytest.raises(Unauthorized) as told:
            await wrong.portal(MEMBER_ID).call("app.info")
    assert told.value.code == "wrong_client"


async def test_authorization_server_in_trouble_is_a_reason_to_try_later(
    gateway: Bitrix24, portal: Portal
) -> None:
    portal.expire()
    portal.refresh_mood = always(lambda: web.Response(status=502, text="<html>"))
    with pytest.raises(Unavailable):
        await gateway.portal(MEMBER_ID).call("app.info")
    portal.refresh_mood = None
    await gateway.portal(MEMBER_ID).call("app.info")


async def test_authorization_server_that_redirects_is_not_followed(
    gateway: Bitrix24, portal: Portal
) -> None:
    async with Portal() as elsewhere:
        portal.expire()
        moved = web.Response(status=302, headers={"Location": f"{elsewhere.root}oauth/token/"})
        portal.refresh_mood = always(lambda: moved)
        with pytest.raises(Unavailable):
            await gateway.portal(MEMBER_ID).call("app.info")
        assert not elsewhere.refreshed_by


async def test_refresh_that_was_overtaken_by_an_installation_writes_nothing(
    gateway: Bitrix24, portal: Portal
) -> None:
    store = store_of(gateway)
    epoch = await store.lock(MEMBER_ID, "slow", life_s=60)
    await store.install(portal.tokens(refresh_token="fake-refresh-installed"))
    late = portal.tokens(refresh_token="fake-refresh-late")
    kept = await store.renew(late, epoch=epoch)
    assert kept is not None
    assert kept.refresh_token == "fake-refresh-installed"


async def test_refresh_that_was_overtaken_by_another_writes_nothing(
    gateway: Bitrix24, portal: Portal
) -> None:
    store = store_of(gateway)
    slow = await store.lock(MEMBER_ID, "slow", life_s=60)
    await store.unlock(MEMBER_ID, "slow", slow)
    quick = await store.lock(MEMBER_ID, "quick", life_s=60)
    assert quick > slow
    await store.renew(portal.tokens(refresh_token="fake-refresh-quick"), epoch=quick)
    await store.renew(portal.tokens(refresh_token="fake-refresh-slow"), epoch=slow)
    assert (await kept_by(gateway)).refresh_token == "fake-refresh-quick"


async def test_lock_is_one_owners_until_it_expires(gateway: Bitrix24) -> None:
    store = store_of(gateway)
    epoch = await store.lock(MEMBER_ID, "one", life_s=0.3)
    assert await store.lock(MEMBER_ID, "one", life_s=0.3) == epoch
    assert await store.lock(MEMBER_ID, "other", life_s=0.3) == 0
    async with asyncio.timeout(5):
        while not await store.lock(MEMBER_ID, "other", life_s=60):
            await asyncio.sleep(0.02)
    await store.unlock(MEMBER_ID, "one", epoch)
    assert await store.lock(MEMBER_ID, "third", life_s=60) == 0


async def test_newer_token_of_an_event_saves_a_refresh(gateway: Bitrix24, portal: Portal) -> None:
    portal.access_token = "fake-access-of-an-event"
    offered = EventToken(
        user_id=1, access_token=portal.access_token, expires_at=int(time.time()) + 7200
    )
    await store_of(gateway).offer(MEMBER_ID, offered)
    await gateway.portal(MEMBER_ID).call("app.info")
    assert portal.refreshes == 0
    assert (await kept_by(gateway)).refresh_token == "fake-refresh-0"


async def test_no_offer_undoes_a_refresh_that_goes_on_at_the_same_time(
    gateway: Bitrix24, portal: Portal
) -> None:
    portal.expire()
    expires_at = int(time.time())
    offers = [
        EventToken(user_id=1, access_token=f"fake-offer-{n}", expires_at=expires_at + 10_000 + n)
        for n in range(10)
    ]
    epoch = await store_of(gateway).lock(MEMBER_ID, "one", life_s=60)
    await asyncio.gather(
        store_of(gateway).renew(portal.tokens(refresh_token="fake-refresh-new"), epoch=epoch),
        *(store_of(gateway).offer(MEMBER_ID, offer) for offer in offers),
    )
    assert (await kept_by(gateway)).refresh_token == "fake-refresh-new"


async def test_event_does_not_bring_tokens_to_a_portal_without_any(gateway: Bitrix24) -> None:
    offered = EventToken(user_id=1, access_token="fake", expires_at=int(time.time()) + 3600)
    await store_of(gateway).offer("another", offered)
    assert await store_of(gateway).read("another") is None
    with pytest.raises(Unauthorized):
        await gateway.portal("another").call("app.info")


async def test_forgotten_tokens_do_not_come_back(gateway: Bitrix24, portal: Portal) -> None:
    store = store_of(gateway)
    epoch = await store.lock(MEMBER_ID, "one", life_s=60)
    await store.forget(MEMBER_ID)
    assert await store.renew(portal.tokens(), epoch=epoch) is None
    assert await store.read(MEMBER_ID) is None


async def test_grant_is_kept_alive_half_way_through_its_life(
    gateway: Bitrix24, portal: Portal
) -> None:
    old = int(time.time()) - REFRESH_LIFE_S // 2 - 60
    await store_of(gateway).install(portal.tokens(renewed_at=old))
    await gateway.portal(MEMBER_ID).call("app.info")
    assert portal.refreshes == 1


async def test_grant_that_cannot_be_renewed_yet_does_not_stop_calls(
    gateway: Bitrix24, portal: Portal
) -> None:
    old = int(time.time()) - REFRESH_LIFE_S // 2 - 60
    await store_of(gateway).install(portal.tokens(renewed_at=old))
    portal.refresh_mood = always(lambda: web.Response(status=502))
    for _ in range(3):
        await gateway.portal(MEMBER_ID).call("app.info")
    assert len(portal.refreshed_by) == 1


async def test_keys_rotate_by_listing_two_for_a_while(
    gateway: Bitrix24, connected: type_of_connect, keys: tuple[str, ...]
) -> None:
    before = await kept_by(gateway)
    new = Fernet.generate_key().decode()
    async with connected(vault_keys=(new, *keys)) as rotating:
        assert await kept_by(rotating) == before
    async with connected(vault_keys=(new,)) as rotated:
        assert await kept_by(rotated) == before
    with pytest.raises(Unauthorized, match=r"\[vault\] keys"):
        await kept_by(gateway)


async def test_tokens_of_one_portal_do_not_open_as_those_of_another(
    gateway: Bitrix24, redis: Redis
) -> None:
    sealed: Any = await redis.hget(f"b24:oauth:{{{MEMBER_ID}}}", "sealed")
    await redis.hset("b24:oauth:{another}", "sealed", sealed)
    with pytest.raises(Unauthorized):
        await store_of(gateway).read("another")


@pytest.mark.parametrize("wrong", [(), ("fake-key-that-is-none",)])
async def test_keys_that_are_none_stop_the_start_unseen(
    connected: type_of_connect, wrong: tuple[str, ...]
) -> None:
    with pytest.raises(OperatorError) as told:
        async with connected(vault_keys=wrong):
            raise AssertionError
    assert "[vault] keys" in str(told.value)
    assert "fake-key" not in "".join(traceback.format_exception(told.value))


async def test_secrets_are_neither_in_redis_nor_in_logs_nor_in_errors(
    gateway: Bitrix24,
    connected: type_of_connect,
    portal: Portal,
    redis: Redis,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shown: list[str] = []

    async def failing(one: Bitrix24) -> None:
        try:
            await one.portal(MEMBER_ID).call("app.info")
        except Bitrix24Error as error_:
            shown.append("".join(traceback.format_exception(error_)))
            shown.append(f"{error_.__context__!r} {error_.__cause__!r} {vars(error_)!r}")
        else:
            raise AssertionError

    async def echo(request: web.Request, body: dict[str, Any]) -> web.Response:
        return error(400, "ERROR_CORE", f"I was asked {request.url} {body}")

    async def echo_query(request: web.Request, _body: dict[str, Any]) -> web.Response:
        return error(400, "invalid_request", f"I was asked {dict(request.query)}")

    async with connected(webhook=portal.webhook) as by_webhook:
        for mood in (echo, hang_up):
            portal.mood = mood
            await failing(by_webhook)
            await failing(gateway)
    portal.mood = None
    for refresh_mood in (echo_query, hang_up):
        portal.expire()
        portal.refresh_mood = refresh_mood
        await failing(gateway)
    portal.refresh_mood = None
    await gateway.portal(MEMBER_ID).call("app.info")
    shown.append(repr(await kept_by(gateway)))

    for key in await redis.keys("*"):
        kind = await redis.type(key)
        shown.append(repr(key))
        shown.append(
            repr(await redis.hgetall(key)) if kind == b"hash" else repr(await redis.get(key))
        )
    captured = capsys.readouterr()
    everything = "\n".join([*shown, captured.out, captured.err])
    assert "tokens were refreshed" in everything
    assert "I was asked" in everything
    for secret in ("fake-access", "fake-refresh", CLIENT_SECRET, WEBHOOK_CODE):
        assert secret not in everything
