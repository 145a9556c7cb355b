"""What a crash, or a Redis that is away, leaves half done is done once it can be, and once only."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from gateway.bitrix24.connecting import connect
from gateway.bitrix24.token_store import TokenStore
from gateway.contract import decode_event
from gateway.local.redis_server import RedisServer
from gateway.portals.application_tokens import digest_of
from gateway.portals.facts import PortalFacts
from gateway.portals.registry import Registry
from gateway.redis_access import connections
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import Settings
from tests.integration.installation.bodies import forged, genuine, post
from tests.integration.installation.running import Gateway, open_gateway, settings_for
from tests.support.eventually import eventually
from tests.support.receiver_process import Receiver


class Observer:
    """Looks at what became of a portal, through a server that may have been away."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def events(self) -> list[tuple[str, str]]:
        async with connections.control(self._settings.redis.url) as client:
            entries: Any = await client.xrange("b24:events:{0}")
        found = [decode_event(fields[b"event"]) for _, fields in entries]
        return [(event.type, event.id) for event in found]

    async def registered(self) -> list[str]:
        async with connections.control(self._settings.redis.url) as client:
            reading = await Registry(client, prefix="b24").read()
        return [one.member_id for one in reading.registrations]

    async def has_tokens(self, member_id: str) -> bool:
        async with connect(self._settings) as bitrix24:
            assert bitrix24.tokens is not None
            return await bitrix24.tokens.read(member_id) is not None

    async def is_due_for_erasure(self, member_id: str) -> bool:
        async with connections.control(self._settings.redis.url) as client:
            facts = await PortalFacts(client, prefix="b24").of(member_id)
        return facts.erasure_due_since is not None


@pytest.fixture
async def settings(
    sandbox: Sandbox, own_server: RedisServer, tmp_path: Path, key: str, port: int
) -> Settings:
    """On a server of the test's own, which may be killed."""
    return settings_for(
        sandbox,
        redis_url=own_server.url,
        spool_dir=tmp_path / "spool",
        key=key,
        public_url=f"http://127.0.0.1:{port}",
    )


@pytest.fixture
def observer(settings: Settings) -> Observer:
    return Observer(settings)


@pytest.fixture
async def receiver(settings: Settings, tmp_path: Path) -> AsyncIterator[Receiver]:
    """`gateway serve` as a process, with the same spool and keys."""
    rest = settings.bitrix24
    with Receiver(
        tmp_path,
        settings.redis.url,
        spool=Path(settings.spool.dir),
        settings={
            "VAULT_KEYS": json.dumps(list(settings.vault.keys)),
            "BITRIX24_CLIENT_ID": rest.client_id,
            "BITRIX24_CLIENT_SECRET": rest.client_secret,
            "BITRIX24_AUTHORIZATION_SERVER": rest.authorization_server,
        },
    ) as one:
        yield one


async def installed(portal: LivePortal, gateway: Gateway) -> None:
    await portal.install(gateway.url)
    await portal.sent()
    await eventually(lambda: len(portal.bindings.of(gateway.settings.bitrix24.client_id)) > 1)


async def uninstallation(portal: LivePortal) -> bytes:
    """The body of an ONAPPUNINSTALL that nobody has received."""
    handler = portal.bindings
    client_id = next(iter(portal.bindings.to_tell("ONAPPUNINSTALL"))).client_id
    handler.remove(handler.of(client_id))
    handler.add("ONAPPUNINSTALL", handler="http://127.0.0.1:1/", client_id=client_id)
    await portal.uninstall(clean=True)
    await portal.sent()
    return portal.deliveries[-1].body


async def test_a_receiver_killed_while_it_installs_finishes_when_it_is_back(
    sandbox: Sandbox, portal: LivePortal, receiver: Receiver, observer: Observer
) -> None:
    body = await genuine(portal)
    await receiver.start()
    sandbox.authorization.faults.delay_s = 3.0
    url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
    delivery = asyncio.create_task(post(url, body))
    await eventually(lambda: bool(sandbox.authorization.calls))
    receiver.kill()
    with pytest.raises(aiohttp.ClientError):
        await delivery
    assert await observer.registered() == []

    sandbox.authorization.faults.clear()
    await receiver.start()

    async def is_registered() -> bool:
        return await observer.registered() == [portal.member_id]

    await eventually(is_registered)

    async def is_told() -> bool:
        return [kind for kind, _ in await observer.events()] == ["bitrix24.app.installed"]

    await eventually(is_told)
    assert await observer.has_tokens(portal.member_id)


async def test_an_installation_while_redis_is_away_is_kept_and_done_when_it_is_back(
    gateway: Gateway, portal: LivePortal, own_server: RedisServer, observer: Observer
) -> None:
    body = await genuine(portal)
    own_server.kill()

    answered = await post(gateway.url, body)

    assert (answered.status, answered.body) == (503, "unavailable")
    assert len(gateway.waiting()) == 1

    own_server.start()
    await gateway.lifecycle.resume("install")

    assert await observer.registered() == [portal.member_id]
    assert gateway.waiting() == []


async def test_an_uninstallation_while_redis_is_away_survives_a_kill(
    settings: Settings,
    portal: LivePortal,
    port: int,
    own_server: RedisServer,
    receiver: Receiver,
    observer: Observer,
) -> None:
    async with open_gateway(settings, port=port) as gateway:
        await installed(portal, gateway)
    body = await uninstallation(portal)
    await receiver.start()
    own_server.kill()

    url = f"http://127.0.0.1:{receiver.port}/bitrix24/events"
    assert (await post(url, body)).status == 200
    receiver.kill()
    own_server.start()
    assert await observer.registered() == [portal.member_id]
    await receiver.start()

    async def is_removed() -> bool:
        return await observer.registered() == []

    await eventually(is_removed)

    async def is_forgotten() -> bool:
        return await observer.is_due_for_erasure(portal.member_id)

    await eventually(is_forgotten)
    assert not await observer.has_tokens(portal.member_id)
    assert [kind for kind, _ in await observer.events()] == [
        "bitrix24.app.installed",
        "bitrix24.app.uninstalled",
    ]


async def test_an_uninstallation_that_stops_half_way_is_told_once(
    gateway: Gateway,
    portal: LivePortal,
    observer: Observer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await installed(portal, gateway)
    body = await uninstallation(portal)
    forget = TokenStore.forget

    async def away(*_: object) -> None:
        raise RedisConnectionError

    monkeypatch.setattr(TokenStore, "forget", away)
    assert (await post(gateway.url, body)).status == 200
    assert await observer.registered() == []
    assert await observer.has_tokens(portal.member_id)
    assert len(gateway.waiting()) == 1

    monkeypatch.setattr(TokenStore, "forget", forget)
    await asyncio.gather(*(gateway.lifecycle.resume("uninstall") for _ in range(2)))

    assert not await observer.has_tokens(portal.member_id)
    assert gateway.waiting() == []
    assert len(await observer.events()) == 2


async def test_what_is_installed_after_an_uninstallation_that_waited_stays(
    gateway: Gateway, portal: LivePortal, observer: Observer, own_server: RedisServer
) -> None:
    await installed(portal, gateway)
    body = await uninstallation(portal)
    own_server.kill()
    assert (await post(gateway.url, body)).status == 200
    again = await genuine(portal)
    assert (await post(gateway.url, again)).status in (200, 503)
    own_server.start()

    async def is_settled() -> bool:
        await gateway.lifecycle.resume("uninstall", "install", "reinstall")
        return not gateway.waiting()

    await eventually(is_settled)

    assert await observer.registered() == [portal.member_id]
    assert await observer.has_tokens(portal.member_id)


async def test_an_installation_that_nobody_confirms_within_the_hour_is_given_up(
    sandbox: Sandbox,
    gateway: Gateway,
    portal: LivePortal,
    observer: Observer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = await genuine(portal)
    sandbox.authorization.faults.page = 502
    assert (await post(gateway.url, body)).status == 503

    await gateway.lifecycle.resume("install")
    assert len(gateway.waiting()) == 1

    monkeypatch.setattr("gateway.installation.steps._USABLE_MS", 0)
    sandbox.authorization.faults.clear()
    await gateway.lifecycle.resume("install")

    assert gateway.waiting() == []
    assert await observer.registered() == []


async def test_a_forged_claim_that_waits_does_not_keep_the_genuine_one_from_being_done(
    sandbox: Sandbox, gateway: Gateway, portal: LivePortal, observer: Observer
) -> None:
    body = await genuine(portal)
    sandbox.authorization.faults.page = 502
    await post(gateway.url, forged(body, access_token="fakeaccess" + "0" * 60))
    await post(gateway.url, body)
    assert len(gateway.waiting()) == 2

    sandbox.authorization.faults.clear()
    await gateway.lifecycle.resume("install")

    assert await observer.registered() == [portal.member_id]
    assert gateway.waiting() == []


async def test_an_installation_in_a_redis_that_lost_its_data_takes_no_portal_away(
    gateway: Gateway, portal: LivePortal, settings: Settings, observer: Observer
) -> None:
    digest = digest_of("fake-token-of-another-portal")
    await gateway.registry.add("m1", "m1.example", digest, now=datetime.now(UTC))
    await eventually(lambda: gateway.directory.find("m1") is not None)
    async with connections.control(settings.redis.url) as client:
        await client.flushall()

    assert (await post(gateway.url, await genuine(portal))).status == 200

    assert sorted(await observer.registered()) == sorted(["m1", portal.member_id])
