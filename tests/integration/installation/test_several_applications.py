"""One gateway for portals of two authorization servers, and for applications of several portals."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from redis.asyncio import Redis

from consumers.enricher import build
from consumers.runtime.consumer_process import run
from gateway.background import owned
from gateway.bitrix24.connecting import connect
from gateway.bitrix24.errors import NoCredentials
from gateway.cli import cli
from gateway.contract import Comment, decode_event
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import ApplicationSettings, Settings
from tests.integration.installation.bodies import forged, genuine, post
from tests.integration.installation.deliveries import install
from tests.integration.installation.running import Gateway, open_gateway
from tests.integration.installation.seen_secrets import secrets_of, seen_by
from tests.support.eventually import eventually

MADE_UP = "fake-token-that-is-made-up"


def listed(sandbox: Sandbox) -> ApplicationSettings:
    """The sandbox's application, as the settings have it."""
    return ApplicationSettings(
        client_id=sandbox.application.client_id,
        client_secret=sandbox.application.client_secret,
        authorization_server=sandbox.authorization_url,
    )


def with_applications(settings: Settings, *applications: ApplicationSettings) -> Settings:
    """The settings with a list in place of the one application."""
    several = msgspec.structs.replace(
        settings.bitrix24, client_id="", client_secret="", applications=applications
    )
    return msgspec.structs.replace(settings, bitrix24=several)


@pytest.fixture
async def east() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as one:
        yield one


@pytest.fixture
async def eastern(east: Sandbox) -> LivePortal:
    return await east.add_portal()


@pytest.fixture
def settings(settings: Settings, sandbox: Sandbox, east: Sandbox) -> Settings:
    return with_applications(settings, listed(sandbox), listed(east))


async def test_portals_of_two_servers_share_a_gateway_and_each_keeps_its_secrets(
    gateway: Gateway,
    redis: Redis,
    sandbox: Sandbox,
    portal: LivePortal,
    east: Sandbox,
    eastern: LivePortal,
) -> None:
    for one in (portal, eastern):
        await install(one, gateway)
    given_out = {one.authorization_url: secrets_of(one) for one in (sandbox, east)}
    for one in (portal, eastern):
        one.comments.add(author_id=1, entity_type="deal", entity_id=5, text=f"of {one.member_id}")
        await one.sent()
        one.expire_tokens()  # so that each has to be refreshed, by its own server
    stop = asyncio.Event()
    enricher = owned(run(build(gateway.settings), gateway.settings, stop))

    async def texts() -> set[str | None]:
        entries: Any = await redis.xrange(gateway.settings.redis.streams.key("comments", 0))
        events = [decode_event(fields[b"event"]) for _, fields in entries]
        said = [getattr(event.data, "comment", None) for event in events]
        return {one.text for one in said if isinstance(one, Comment)}

    async def are_there() -> bool:
        return await texts() == {f"of {portal.member_id}", f"of {eastern.member_id}"}

    await eventually(are_there)
    stop.set()
    await enricher

    for own, other, its_portal in ((sandbox, east, portal), (east, sandbox, eastern)):
        methods = [call.method for call in own.authorization.calls]
        assert methods.count("oauth/token") == 1
        strange = [
            *given_out[other.authorization_url],
            *secrets_of(other),
        ]
        assert not [secret for secret in strange if secret in seen_by(its_portal)]
        refreshes = [one for one in own.authorization.calls if one.method == "oauth/token"]
        assert not [
            secret for secret in strange if secret in str([one.parameters for one in refreshes])
        ]


async def test_the_server_that_a_claim_names_is_asked_first_and_no_other_without_need(
    gateway: Gateway, sandbox: Sandbox, east: Sandbox, eastern: LivePortal
) -> None:
    await install(eastern, gateway)

    assert sandbox.authorization.calls == []
    assert [call.method for call in east.authorization.calls] == ["app.info"]


async def test_a_claim_that_names_no_server_is_asked_about_at_each(
    gateway: Gateway, sandbox: Sandbox, eastern: LivePortal
) -> None:
    body = forged(await genuine(eastern), server_endpoint=None)

    assert (await post(gateway.url, body)).status == 200

    assert [call.status for call in sandbox.authorization.calls] == [401]
    assert await gateway.registered() == [eastern.member_id]


async def test_a_server_that_is_away_holds_up_no_portal_of_the_other(
    gateway: Gateway, sandbox: Sandbox, portal: LivePortal, eastern: LivePortal
) -> None:
    sandbox.authorization.faults.delay_s = 60.0
    unnamed = forged(await genuine(eastern), server_endpoint=None)

    assert (await post(gateway.url, await genuine(portal))).status == 503
    assert (await post(gateway.url, unnamed)).status == 200

    assert await gateway.registered() == [eastern.member_id]


async def test_a_claim_that_one_server_denies_waits_for_the_one_that_is_away(
    gateway: Gateway, sandbox: Sandbox, portal: LivePortal
) -> None:
    sandbox.authorization.faults.is_down = True
    unnamed = forged(await genuine(portal), server_endpoint=None)

    assert (await post(gateway.url, unnamed)).status == 503

    sandbox.authorization.faults.clear()
    await gateway.lifecycle.resume("install")
    assert await gateway.registered() == [portal.member_id]


async def test_an_application_of_one_server_is_not_taken_for_that_of_another(
    settings: Settings, port: int, sandbox: Sandbox, east: Sandbox, eastern: LivePortal
) -> None:
    other = east.add_application()
    elsewhere = msgspec.structs.replace(listed(sandbox), client_id=other.client_id)
    settings = with_applications(settings, listed(sandbox), elsewhere, listed(east))
    async with open_gateway(settings, port=port) as gateway:
        answered = await post(gateway.url, await genuine(eastern, other))

        assert answered.status == 403
        assert await gateway.registered() == []


async def test_one_application_of_the_market_is_listed_for_each_server(
    settings: Settings, port: int, sandbox: Sandbox, portal: LivePortal
) -> None:
    async with open_sandbox(application=sandbox.application) as east:
        eastern = await east.add_portal()
        settings = with_applications(settings, listed(sandbox), listed(east))
        async with open_gateway(settings, port=port) as gateway, connect(settings) as bitrix24:
            for one in (portal, eastern):
                await install(one, gateway)
                one.expire_tokens()
                await bitrix24.portal(one.member_id).call("event.get")

        for asked in (sandbox, east):
            methods = [call.method for call in asked.authorization.calls]
            assert methods == ["app.info", "oauth/token"]


async def test_local_applications_of_two_portals_share_a_server(
    settings: Settings, port: int, sandbox: Sandbox, portal: LivePortal
) -> None:
    own = sandbox.add_application()
    other = await sandbox.add_portal()
    second = msgspec.structs.replace(
        listed(sandbox), client_id=own.client_id, client_secret=own.client_secret
    )
    settings = with_applications(settings, listed(sandbox), second)
    async with open_gateway(settings, port=port) as gateway, connect(settings) as bitrix24:
        await install(portal, gateway)
        assert (await post(gateway.url, await genuine(other, own))).status == 200
        for one in (portal, other):
            one.expire_tokens()
            await bitrix24.portal(one.member_id).call("event.get")

    refreshes = [one for one in sandbox.authorization.calls if one.method == "oauth/token"]
    assert [one.status for one in refreshes] == [200, 200]
    assert [one.parameters["client_id"] for one in refreshes] == [
        sandbox.application.client_id,
        own.client_id,
    ]


async def test_tokens_from_before_the_list_are_those_of_its_first_application(
    settings: Settings, port: int, sandbox: Sandbox, portal: LivePortal, east: Sandbox
) -> None:
    async with open_gateway(settings, port=port) as gateway, connect(settings) as bitrix24:
        await install(portal, gateway)
        assert bitrix24.tokens is not None
        kept = await bitrix24.tokens.read(portal.member_id)
        assert kept is not None
        await bitrix24.tokens.install(msgspec.structs.replace(kept, client_id="", server=""))
        portal.expire_tokens()

        await bitrix24.portal(portal.member_id).call("event.get")

        renewed = await bitrix24.tokens.read(portal.member_id)
    assert renewed is not None
    assert (renewed.client_id, renewed.server) == (kept.client_id, sandbox.authorization_url)
    assert east.authorization.calls == []


async def test_tokens_of_an_application_that_is_listed_no_more_go_to_no_server(
    settings: Settings, port: int, sandbox: Sandbox, portal: LivePortal, east: Sandbox
) -> None:
    async with open_gateway(settings, port=port) as gateway:
        await install(portal, gateway)
    portal.expire_tokens()
    asked = len(sandbox.authorization.calls)

    async with connect(with_applications(settings, listed(east))) as bitrix24:
        with pytest.raises(NoCredentials, match="which the settings do not list"):
            await bitrix24.portal(portal.member_id).call("event.get")

    assert len(sandbox.authorization.calls) == asked
    assert east.authorization.calls == []


async def test_a_flood_costs_each_server_what_it_would_cost_one(
    gateway: Gateway, sandbox: Sandbox, east: Sandbox, eastern: LivePortal
) -> None:
    body = await genuine(eastern)

    answers = await asyncio.gather(
        *(
            post(gateway.url, forged(body, access_token=f"{MADE_UP}{number}"))
            for number in range(90)
        )
    )

    assert {one.status for one in answers} == {403, 503}
    assert len(east.authorization.calls) <= 25
    assert len(sandbox.authorization.calls) <= 25
    assert await gateway.registered() == []


async def test_list_and_check_show_which_application_a_portal_has(
    gateway: Gateway,
    portal: LivePortal,
    sandbox: Sandbox,
    eastern: LivePortal,
    east: Sandbox,
    tmp_path: Path,
) -> None:
    for one in (portal, eastern):
        await install(one, gateway)
    environment = {
        "GATEWAY_REDIS_URL": gateway.settings.redis.url,
        "GATEWAY_SPOOL_DIR": str(tmp_path / "spool"),
        "GATEWAY_VAULT_KEYS": gateway.settings.vault.keys[0],
        "GATEWAY_BITRIX24_APPLICATIONS": msgspec.json.encode(
            gateway.settings.bitrix24.applications
        ).decode(),
    }

    def asked(*words: str) -> str:
        return CliRunner().invoke(cli, ["portals", *words], env=environment).output

    for command in ("list", "check"):
        output = await asyncio.to_thread(asked, command, "--json")
        rows = [msgspec.json.decode(line) for line in output.splitlines() if line[:1] == "{"]
        assert {
            (row["member_id"], row["application"], row["authorization_server"]) for row in rows
        } == {
            (one.member_id, known.application.client_id, known.authorization_url.split("/")[2])
            for one, known in ((portal, sandbox), (eastern, east))
        }
        table = await asyncio.to_thread(asked, command)
        assert sandbox.application.client_id in table
        assert east.application.client_id in table
