"""The installation page in a browser, in the frame of a portal."""

import msgspec
import pytest
from playwright.async_api import expect

from gateway.contract import AppEvent, CommentEvent
from gateway.sandbox.assembly import Sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.sandbox.pages import PageOpened
from gateway.settings import Settings
from tests.browser.stage import Stage
from tests.integration.installation.running import Gateway, open_gateway
from tests.support.eventually import eventually

SECRETS = ("AUTH_ID", "REFRESH_ID", "APPLICATION_TOKEN", "member_id")


def without(opened: PageOpened, name: str) -> PageOpened:
    return opened._replace(form={key: value for key, value in opened.form.items() if key != name})


async def test_installing_by_the_page_registers_binds_and_finishes(
    stage: Stage, gateway: Gateway, portal: LivePortal
) -> None:
    opened = portal.open_page()

    frame = await stage.show(opened, gateway.page_url)

    await expect(frame.locator("h1")).to_have_text("The gateway is connected")
    await expect(frame.locator(".finished")).to_be_visible()
    lines = await frame.locator("li").all_inner_texts()
    assert [portal.domain in lines[0], gateway.settings.handler_url in lines[2]] == [True, True]
    assert stage.finishes == 1
    assert stage.problems == []
    source = await frame.content()
    assert not any(opened.form[name] in source for name in SECRETS)

    await portal.sent()
    (installed,) = await gateway.events()
    assert isinstance(installed, AppEvent)
    assert installed.type == "bitrix24.app.installed"
    portal.comments.add(entity_type="deal", entity_id=5, text="hello")
    await portal.sent()
    assert isinstance((await gateway.events())[-1], CommentEvent)


async def test_a_portal_that_does_not_tell_its_token_tells_it_when_it_is_installed(
    stage: Stage, gateway: Gateway, portal: LivePortal
) -> None:
    opened = without(portal.open_page(), "APPLICATION_TOKEN")

    frame = await stage.show(opened, gateway.page_url)

    await expect(frame.locator(".finished")).to_be_visible()
    assert "as soon as the installation" in (await frame.locator("li").all_inner_texts())[1]
    await portal.sent()
    assert await gateway.registered() == [portal.member_id]
    assert portal.deliveries[0].answer == "ok"


async def test_the_page_speaks_russian_where_the_portal_does(
    stage: Stage, gateway: Gateway, portal: LivePortal
) -> None:
    frame = await stage.show(portal.open_page(language="ru"), gateway.page_url)

    await expect(frame.locator("h1")).to_have_text("Шлюз подключён")
    await expect(frame.locator(".finished")).to_be_visible()
    assert await frame.locator("html").get_attribute("lang") == "ru"


async def test_opening_it_again_changes_nothing_and_says_so(
    stage: Stage, gateway: Gateway, portal: LivePortal
) -> None:
    frame = await stage.show(portal.open_page(), gateway.page_url)
    await expect(frame.locator(".finished")).to_be_visible()
    await portal.sent()

    frame = await stage.show(portal.open_page(), gateway.page_url)

    await expect(frame.locator("h1")).to_have_text("The gateway is connected")
    assert await gateway.registered() == [portal.member_id]
    assert len(await gateway.events()) == 1


async def test_only_the_portal_may_show_the_page(
    stage: Stage, gateway: Gateway, portal: LivePortal
) -> None:
    elsewhere = "http://127.0.0.1:1/trap/"

    await stage.show(portal.open_page(), gateway.page_url, at=elsewhere)

    await eventually(lambda: bool(stage.problems))
    assert "frame-ancestors" in stage.problems[0]
    assert stage.finishes == 0
    await eventually(lambda: stage.page.frames[1].url.startswith("chrome-error:"))


async def test_without_bitrix24s_script_the_page_says_that_it_is_not_finished(
    stage: Stage, gateway: Gateway, portal: LivePortal
) -> None:
    stage.has_script = False

    frame = await stage.show(portal.open_page(), gateway.page_url)

    await expect(frame.locator(".failed")).to_be_visible()
    assert stage.finishes == 0


@pytest.mark.parametrize(
    ("changes", "query"),
    [
        ({"AUTH_ID": "fakeaccess" + "0" * 60}, {}),
        ({"member_id": "0" * 32}, {}),
        ({}, {"DOMAIN": "attacker.example"}),
        ({"REFRESH_ID": ""}, {}),
    ],
    ids=["made-up-token", "another-portal", "domain-of-the-attacker", "no-refresh-token"],
)
async def test_a_forged_page_registers_nothing_and_finishes_nothing(
    stage: Stage,
    gateway: Gateway,
    portal: LivePortal,
    changes: dict[str, str],
    query: dict[str, str],
) -> None:
    genuine = portal.open_page()
    opened = PageOpened(genuine.query | query, genuine.form | changes)

    frame = await stage.show(opened, gateway.page_url)

    await expect(frame.locator("h1")).to_have_text("The installation is not confirmed")
    assert stage.finishes == 0
    assert await gateway.registered() == []
    assert await gateway.facts.all() == {}


async def test_an_ordinary_user_is_told_that_there_is_nothing_to_do(
    stage: Stage, gateway: Gateway, portal: LivePortal
) -> None:
    portal.finish_installation()

    frame = await stage.show(portal.open_page(user_id=7), gateway.page_url)

    await expect(frame.locator("header p").last).to_contain_text("who may manage applications")
    assert await gateway.registered() == []


async def test_a_gateway_that_does_not_know_its_address_says_what_is_missing(
    stage: Stage, settings: Settings, portal: LivePortal
) -> None:
    nowhere = msgspec.structs.replace(
        settings, bitrix24=msgspec.structs.replace(settings.bitrix24, public_url="")
    )
    async with open_gateway(nowhere) as gateway:
        frame = await stage.show(portal.open_page(), gateway.page_url)

        await expect(frame.locator("h1")).to_have_text("The gateway is connected, with gaps")
        assert "public_url" in await frame.locator("ul").inner_text()
        await expect(frame.locator(".finished")).to_be_visible()
        assert await gateway.registered() == [portal.member_id]

        opened = without(portal.open_page(), "APPLICATION_TOKEN")
        await gateway.registry.remove((await gateway.registry.read()).registrations)
        frame = await stage.show(opened, gateway.page_url)

        await expect(frame.locator("h1")).to_have_text("The installation is not finished")
        assert stage.finishes == 1


async def test_while_the_authorization_server_is_away_the_page_asks_to_come_again(
    stage: Stage, gateway: Gateway, portal: LivePortal, sandbox: Sandbox
) -> None:
    sandbox.authorization.faults.is_down = True

    frame = await stage.show(portal.open_page(), gateway.page_url)

    await expect(frame.locator("h1")).to_have_text("Please try again in a minute")
    assert await gateway.registered() == []
