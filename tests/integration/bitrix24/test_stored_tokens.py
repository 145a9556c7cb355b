"""Tokens at rest: who may read them, with which key, and what they are replaced by."""

import asyncio
import time
import traceback
from typing import Any

import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from redis.asyncio import Redis

from gateway.bitrix24.connecting import Bitrix24
from gateway.bitrix24.errors import Bitrix24Error, Unauthorized
from gateway.bitrix24.tokens import EventToken
from gateway.errors import OperatorError
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.bitrix24.conftest import (
    MEMBER_ID,
    refusal,
    tokens_of,
    type_of_connect,
)
from tests.integration.bitrix24.token_stores import kept_by, refreshes, store_of
from tests.support.eventually import eventually


async def test_lock_is_one_owners_until_it_expires(gateway: Bitrix24) -> None:
    store = store_of(gateway)
    epoch = await store.lock(MEMBER_ID, "one", life_s=0.3)
    assert await store.lock(MEMBER_ID, "one", life_s=0.3) == epoch
    assert await store.lock(MEMBER_ID, "other", life_s=0.3) == 0
    await eventually(lambda: store.lock(MEMBER_ID, "other", life_s=60))
    await store.unlock(MEMBER_ID, "one", epoch)
    assert await store.lock(MEMBER_ID, "third", life_s=60) == 0


async def test_newer_token_of_an_event_saves_a_refresh(
    gateway: Bitrix24, portal: LivePortal, sandbox: Sandbox
) -> None:
    before = await kept_by(gateway)
    portal.expire_tokens()
    token = portal.open_page().form["AUTH_ID"]
    offered = EventToken(user_id=1, access_token=token, expires_at=int(time.time()) + 7200)
    await store_of(gateway).offer(MEMBER_ID, offered)
    await gateway.portal(MEMBER_ID).call("app.info")
    assert refreshes(sandbox) == []
    assert (await kept_by(gateway)).refresh_token == before.refresh_token


async def test_no_offer_undoes_a_refresh_that_goes_on_at_the_same_time(
    gateway: Bitrix24, portal: LivePortal
) -> None:
    portal.expire_tokens()
    expires_at = int(time.time())
    offers = [
        EventToken(user_id=1, access_token=f"fake-offer-{n}", expires_at=expires_at + 10_000 + n)
        for n in range(10)
    ]
    epoch = await store_of(gateway).lock(MEMBER_ID, "one", life_s=60)
    await asyncio.gather(
        store_of(gateway).renew(tokens_of(portal, refresh_token="fake-refresh-new"), epoch=epoch),
        *(store_of(gateway).offer(MEMBER_ID, offer) for offer in offers),
    )
    assert (await kept_by(gateway)).refresh_token == "fake-refresh-new"


async def test_event_does_not_bring_tokens_to_a_portal_without_any(gateway: Bitrix24) -> None:
    offered = EventToken(user_id=1, access_token="fake", expires_at=int(time.time()) + 3600)
    await store_of(gateway).offer("another", offered)
    assert await store_of(gateway).read("another") is None
    with pytest.raises(Unauthorized):
        await gateway.portal("another").call("app.info")


async def test_forgotten_tokens_do_not_come_back(gateway: Bitrix24, portal: LivePortal) -> None:
    store = store_of(gateway)
    epoch = await store.lock(MEMBER_ID, "one", life_s=60)
    await store.forget(MEMBER_ID)
    assert await store.renew(tokens_of(portal), epoch=epoch) is None
    assert await store.read(MEMBER_ID) is None


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
    portal: LivePortal,
    redis: Redis,
    capsys: pytest.CaptureFixture[str],
    sandbox: Sandbox,
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

    async def echo(request: web.Request, _parameters: Any) -> web.Response:
        return refusal(400, "ERROR_CORE", f"I was asked {request.url} {await request.text()}")

    async with connected(webhook=portal.webhook_url) as by_webhook:
        for faults in ({"mood": echo}, {"mood": None, "is_down": True}):
            for name, value in faults.items():
                setattr(portal.faults, name, value)
            await failing(by_webhook)
            await failing(gateway)
    portal.faults.clear()
    before = await kept_by(gateway)
    for fault, value in (("mood", echo), ("is_down", True)):
        portal.expire_tokens()
        setattr(sandbox.authorization.faults, fault, value)
        await failing(gateway)
        sandbox.authorization.faults.clear()
    await gateway.portal(MEMBER_ID).call("app.info")
    after = await kept_by(gateway)
    shown.append(repr(after))

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
    tokens = (before.access_token, before.refresh_token, after.access_token, after.refresh_token)
    for secret in (*tokens, sandbox.application.client_secret, portal.webhook_code):
        assert secret not in everything
