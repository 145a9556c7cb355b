"""Installing, using and uninstalling the application, in portals that behave as real ones do."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis.asyncio import Redis

from gateway.bitrix24.connecting import connect
from gateway.bitrix24.offline_signals import take
from gateway.cli import cli
from gateway.contract import AppEvent, CommentEvent
from gateway.inbound.form import FormValue, parse_form
from gateway.sandbox.live_portal import LivePortal
from tests.integration.installation.bodies import genuine
from tests.integration.installation.deliveries import install
from tests.integration.installation.running import Gateway
from tests.support.eventually import eventually

COMMENTS = {f"ONCRMTIMELINECOMMENT{what}" for what in ("ADD", "UPDATE", "DELETE")}


async def test_an_installed_portal_is_registered_bound_and_delivers(
    gateway: Gateway, portal: LivePortal
) -> None:
    await install(portal, gateway)

    (delivery,) = portal.deliveries
    assert (delivery.status, delivery.answer) == (200, "ok")
    (installed,) = await gateway.events()
    assert isinstance(installed, AppEvent)
    assert (installed.id, installed.type) == (delivery.event_id, "bitrix24.app.installed")
    assert installed.data.domain == portal.domain
    assert gateway.directory.verify(portal.member_id, portal.application_token)
    bound = {one.event for one in portal.bindings.of(gateway.settings.bitrix24.client_id)}
    assert bound > COMMENTS
    facts = await gateway.facts.of(portal.member_id)
    assert facts.is_installed
    assert (facts.endpoint, facts.queue, facts.unbound) == (portal.endpoint, "bound", {})

    comment_id = portal.comments.add(author_id=1, entity_type="deal", entity_id=5, text="hello")
    await portal.sent()

    event = (await gateway.events())[-1]
    assert isinstance(event, CommentEvent)
    assert event.data.comment_id == comment_id


async def test_the_stored_tokens_call_the_portal(gateway: Gateway, portal: LivePortal) -> None:
    await install(portal, gateway)

    async with connect(gateway.settings) as bitrix24:
        answer = await bitrix24.portal(portal.member_id).call("event.get")

    assert len(answer.result) >= len(COMMENTS)


async def test_installing_again_changes_nothing_but_the_tokens(
    gateway: Gateway, portal: LivePortal
) -> None:
    await install(portal, gateway)
    tokens_of = gateway.settings
    async with connect(tokens_of) as bitrix24:
        assert bitrix24.tokens is not None
        before = await bitrix24.tokens.read(portal.member_id)

        await portal.install(gateway.url)
        await portal.sent()

        async def has_changed() -> bool:
            assert bitrix24.tokens is not None
            return await bitrix24.tokens.read(portal.member_id) != before

        await eventually(has_changed)
        await eventually(lambda: not gateway.waiting())
    assert await gateway.registered() == [portal.member_id]
    assert [event.type for event in await gateway.events()] == ["bitrix24.app.installed"] * 2

    async def is_bound() -> bool:
        bound = portal.bindings.of(gateway.settings.bitrix24.client_id)
        return {one.event for one in bound} >= COMMENTS

    await eventually(is_bound)


async def test_what_a_clock_that_was_ahead_noted_keeps_nobody_from_uninstalling_and_installing(
    gateway: Gateway, portal: LivePortal
) -> None:
    await install(portal, gateway)
    ahead = datetime.now(UTC) + timedelta(days=365)

    async def note() -> None:
        await gateway.facts.learn(portal.member_id, installed_at=ahead)
        for one in (await gateway.registry.read()).registrations:
            await gateway.registry.add(one.member_id, one.domain, one.digest, now=ahead)

    await note()
    await portal.uninstall(clean=False)
    await portal.sent()
    assert await gateway.registered() == []
    assert (await gateway.facts.of(portal.member_id)).uninstalled_at is not None

    await note()
    await install(portal, gateway)
    assert await gateway.registered() == [portal.member_id]
    installed_at = (await gateway.facts.of(portal.member_id)).installed_at
    assert installed_at is not None
    assert installed_at < ahead


async def test_an_offline_signal_is_passed_on_and_not_published(
    gateway: Gateway, portal: LivePortal, redis: Redis
) -> None:
    await install(portal, gateway)
    count = len(await gateway.events())
    portal.comments.add(entity_type="deal", entity_id=5, text="hello")
    await portal.sent()

    signals = [one for one in portal.deliveries if one.event == "offline.signal"]
    assert [one.answer for one in signals] == ["ignored"]
    assert len(await gateway.events()) == count + 1
    found: list[str] = []

    async def is_told() -> bool:
        found.extend(await take(redis, prefix="b24"))
        return found == [portal.member_id]

    await eventually(is_told)


async def test_a_test_of_the_application_is_an_event(gateway: Gateway, portal: LivePortal) -> None:
    await install(portal, gateway)
    async with connect(gateway.settings) as bitrix24:
        client = bitrix24.application(portal.member_id)
        await client.call("event.test", {"canary": "0190b2c4-canary"})
        await portal.sent()

    event = (await gateway.events())[-1]
    assert isinstance(event, AppEvent)
    assert (event.type, event.data.test) == ("bitrix24.app.tested", "0190b2c4-canary")


async def test_gateway_trigger_installs_with_the_tokens_of_a_portal(
    gateway: Gateway, portal: LivePortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    auth = parse_form(await genuine(portal))["auth"]
    assert isinstance(auth, dict)
    monkeypatch.setenv("FAKE_ACCESS", str(auth["access_token"]))
    monkeypatch.setenv("FAKE_REFRESH", str(auth["refresh_token"]))
    monkeypatch.delenv("GATEWAY_CONFIG", raising=False)
    arguments = (
        *("trigger", "app.installed", "--url", gateway.url, "--member-id", portal.member_id),
        *("--domain", portal.domain, "--token", portal.application_token, "--user-id", "1"),
    )

    made_up = await asyncio.to_thread(CliRunner().invoke, cli, arguments)
    tokens = ("--access-token", "env:FAKE_ACCESS", "--refresh-token", "env:FAKE_REFRESH")
    real = await asyncio.to_thread(CliRunner().invoke, cli, [*arguments, *tokens])

    assert (made_up.exit_code, "403 forbidden" in made_up.output) == (1, True)
    assert (real.exit_code, "200 ok" in real.output) == (0, True)
    assert await gateway.registered() == [portal.member_id]
    assert str(auth["access_token"]) not in real.output


async def test_no_token_is_kept_or_logged_in_plain_text(
    gateway: Gateway, portal: LivePortal, redis: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    await install(portal, gateway)
    portal.comments.add(entity_type="deal", entity_id=5, text="hello")
    await install(portal, gateway)
    await portal.uninstall(clean=True)
    await portal.sent()
    secrets = {
        str(value)
        for delivery in portal.deliveries
        for name, value in _auth(delivery.body).items()
        if name.endswith("_token")
    }
    assert len(secrets) > 4
    places = [capsys.readouterr().out, str(await everything_in(redis)), files_in(gateway)]
    assert not [one for one in secrets if any(one in place for place in places)]


async def everything_in(redis: Redis) -> list[Any]:
    """What each kind of key holds."""
    client: Any = redis
    readers = {
        b"string": client.get,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"set": client.smembers,
        b"stream": client.xrange,
    }
    keys = await client.keys("*")
    assert len(keys) > 4
    return [(key, await readers[await client.type(key)](key)) for key in keys]


def files_in(gateway: Gateway) -> str:
    files = Path(gateway.settings.spool.dir).rglob("*")
    return " ".join(path.read_bytes().decode("latin-1") for path in files if path.is_file())


def _auth(body: bytes) -> Mapping[str, FormValue]:
    auth = parse_form(body)["auth"]
    assert isinstance(auth, dict)
    return auth
