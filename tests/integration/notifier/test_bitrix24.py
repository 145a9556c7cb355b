"""People told inside Bitrix24, by the REST client, in a sandbox portal."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.fernet import Fernet
from msgspec.structs import replace
from redis.asyncio import Redis

from consumers.notifier.rendering import TargetMessage
from consumers.notifier.target_portals import in_reach
from consumers.notifier.targets import Target
from gateway.bitrix24.connecting import connect
from gateway.network_fence import Fence
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import (
    Bitrix24Settings,
    PortalSettings,
    RedisSettings,
    Settings,
    VaultSettings,
)
from tests.integration.bitrix24.conftest import always, refusal, tokens_of
from tests.integration.notifier.processes import (
    MEMBER,
    comment_event,
    is_reading,
    notifier_process,
    publish,
)
from tests.support.eventually import eventually
from tests.support.redis_users import denied, rights_of

PUBLIC = Fence(section="notifier", allow_private=False, networks=())
MESSAGE = TargetMessage("Comment updated", "Call [b]today[/b]", "bbcode")
TEXT = "[b]Comment updated[/b]\nCall [b]today[/b]"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as one:
        yield one


@pytest.fixture
async def portal(sandbox: Sandbox) -> LivePortal:
    return await sandbox.add_portal(member_id=MEMBER)


def settings_of(portal: LivePortal, redis_url: str, **limits: Any) -> Settings:
    """A gateway that calls the portal by a webhook."""
    one = PortalSettings(
        member_id=portal.member_id,
        domain=portal.domain,
        application_tokens=("fake",),
        rest_webhook=portal.webhook_url,
    )
    return Settings(
        redis=RedisSettings(url=redis_url), portals=(one,), bitrix24=Bitrix24Settings(**limits)
    )


@pytest.fixture
def by_webhook(redis_url: str, portal: LivePortal) -> Settings:
    return settings_of(portal, redis_url)


def target(url: str = f"bitrix24://{MEMBER}/7/chat12", *, timeout_s: float = 5.0) -> Target:
    return Target(url, name="sales/1", key="urls[1]", timeout_s=timeout_s, fence=PUBLIC)


def told(portal: LivePortal) -> tuple[list[Any], list[Any]]:
    """Whom the portal rang for what, and what stands in its chats."""
    chat = portal.chat
    return (
        [(one.user_id, one.text) for one in chat.notifications],
        [(one.dialog_id, one.text) for one in chat.messages],
    )


async def test_users_and_chats_are_told_by_the_webhook_of_the_settings(
    portal: LivePortal, by_webhook: Settings
) -> None:
    to = target()
    assert to.dialect == "bbcode"

    async with in_reach([to], by_webhook):
        outcome = await to.deliver(MESSAGE, message_id="e1")

    assert outcome.is_accepted, outcome.reason
    assert told(portal) == ([(7, TEXT)], [("chat12", TEXT)])


async def test_users_are_told_by_the_application_that_is_installed(
    sandbox: Sandbox,
    portal: LivePortal,
    redis: Redis,
    redis_url: str,
    users: Any,
    limited_url: str,
) -> None:
    """With the rights that the page gives a notifier that tells portals."""
    await portal.install(None, scope="crm,im")
    settings = Settings(
        redis=RedisSettings(url=redis_url),
        vault=VaultSettings(keys=(Fernet.generate_key().decode(),)),
        bitrix24=Bitrix24Settings(
            client_id=sandbox.application.client_id,
            client_secret=sandbox.application.client_secret,
            authorization_server=sandbox.authorization_url,
        ),
    )
    async with connect(settings) as gateway:
        assert gateway.tokens is not None
        await gateway.tokens.install(tokens_of(portal))
    portal.expire_tokens()
    to = target()
    await users(*rights_of("notifier"), "~b24:rest:*", "~b24:oauth:*")

    async with in_reach([to], replace(settings, redis=RedisSettings(url=limited_url))):
        outcome = await to.deliver(MESSAGE, message_id="e1")

    assert outcome.is_accepted, outcome.reason
    assert await denied(redis) == []
    assert told(portal) == ([(7, TEXT)], [("chat12", TEXT)])


async def test_a_notification_that_is_delivered_again_shows_once(
    portal: LivePortal, by_webhook: Settings
) -> None:
    to = target(f"bitrix24://{MEMBER}/7")
    async with in_reach([to], by_webhook):
        for message_id in ("e1", "e1", "e2"):
            await to.deliver(MESSAGE, message_id=message_id)

    assert told(portal)[0] == [(7, TEXT), (7, TEXT)]


async def test_a_portal_that_is_out_of_patience_says_for_how_long(
    portal: LivePortal, by_webhook: Settings
) -> None:
    portal.faults.mood = always(
        lambda: refusal(
            429,
            "OPERATION_TIME_LIMIT",
            "Method is blocked",
            time={"finish": 1000.0, "operating_reset_at": 1200},
        )
    )
    to = target(f"bitrix24://{MEMBER}/7")

    async with in_reach([to], by_webhook):
        outcome = await to.deliver(MESSAGE, message_id="e1")

    assert not outcome.is_accepted
    assert outcome.reason == "im.notify.system.add: a method has used up its time"
    assert outcome.retry_after_s == pytest.approx(200, abs=5)


async def test_two_processes_keep_to_a_portals_limit_together(
    sandbox: Sandbox, redis_url: str
) -> None:
    portal = await sandbox.add_portal(requests_per_s=10, burst=5)
    settings = settings_of(portal, redis_url, requests_per_s=10, burst=5)
    one, other = (target(f"bitrix24://{portal.member_id}/7") for _ in range(2))

    async with in_reach([one], settings), in_reach([other], settings):
        outcomes = await asyncio.gather(
            *(
                to.deliver(MESSAGE, message_id=f"{name}-{number}")
                for to, name in ((one, "one"), (other, "other"))
                for number in range(8)
            )
        )

    assert all(outcome.is_accepted for outcome in outcomes)
    assert [call.error for call in portal.calls] == [None] * 16
    assert len(portal.chat.notifications) == 16


async def test_a_message_whose_turn_is_too_far_off_comes_back_for_it(
    sandbox: Sandbox, redis_url: str
) -> None:
    portal = await sandbox.add_portal(requests_per_s=0.05, burst=2)
    settings = settings_of(portal, redis_url, requests_per_s=0.05, burst=2)
    to = target(f"bitrix24://{portal.member_id}/7")

    async with in_reach([to], settings):
        first = await to.deliver(MESSAGE, message_id="e1")
        second = await to.deliver(MESSAGE, message_id="e2")

    assert first.is_accepted
    assert not second.is_accepted
    assert second.reason == "im.notify.system.add: too many requests wait for the portal"
    assert second.retry_after_s == pytest.approx(20, abs=2)
    assert len(portal.calls) == 1


async def test_a_refusal_tells_why_and_not_the_webhooks_code(
    portal: LivePortal, by_webhook: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    to = target(f"bitrix24://{MEMBER}/7")
    outcomes = []
    async with in_reach([to], by_webhook):
        for mood in (
            always(lambda: refusal(403, "ACCESS_DENIED", f"Not by {portal.webhook_code}")),
            always(lambda: web.Response(status=302, headers={"Location": portal.webhook_url})),
        ):
            portal.faults.mood = mood
            outcomes.append(await to.deliver(MESSAGE, message_id="e1"))

    assert [outcome.reason for outcome in outcomes] == [
        "im.notify.system.add: access_denied: Not by ***",
        f"im.notify.system.add: the portal redirects to {portal.domain}",
    ]
    for said in (to.shown, *(outcome.reason for outcome in outcomes), caplog.text):
        assert portal.webhook_code not in said


@pytest.mark.parametrize(
    ("status", "code", "is_about_message"),
    [
        (400, "MESSAGE_TOO_LONG", True),
        (401, "insufficient_scope", False),
        (403, "ACCESS_DENIED", False),
        (503, "INTERNAL_SERVER_ERROR", False),
    ],
)
async def test_a_refusal_of_the_message_is_told_from_one_of_the_sender(
    portal: LivePortal, by_webhook: Settings, status: int, code: str, *, is_about_message: bool
) -> None:
    portal.faults.mood = always(lambda: refusal(status, code, "no"))
    to = target()

    async with in_reach([to], by_webhook):
        outcome = await to.deliver(MESSAGE, message_id="e1")

    assert not outcome.is_accepted
    assert outcome.is_about_message == is_about_message, outcome.reason


async def test_a_portal_that_does_not_answer_is_left_at_the_deadline(
    portal: LivePortal, by_webhook: Settings
) -> None:
    portal.faults.delay_s = 1.0
    to = target(f"bitrix24://{MEMBER}/7", timeout_s=0.2)

    async with in_reach([to], by_webhook):
        outcome = await to.deliver(MESSAGE, message_id="e1")

    assert "no answer within" in outcome.reason


async def test_the_process_tells_people_in_the_portal(
    redis: Redis, users: Any, limited_url: str, portal: LivePortal, tmp_path: Path
) -> None:
    """With the rights that the page gives a notifier that tells portals by their webhooks."""
    await users(*rights_of("notifier"), "~b24:rest:*")
    settings = f"""
        [[notifier.routes]]
        urls = ["bitrix24://{MEMBER}/7"]
        window_s = 0
        [[portals]]
        member_id = "{MEMBER}"
        domain = "{portal.domain}"
        application_tokens = ["fake"]
        rest_webhook = "{portal.webhook_url}"
    """
    with notifier_process(limited_url, settings, tmp_path) as process:
        await eventually(lambda: is_reading(redis), timeout_s=40)
        event = comment_event(999)
        await publish(redis, event, event)
        await eventually(lambda: len(portal.chat.notifications) == 1)

    assert process.exit_code == 0
    (notification,) = portal.chat.notifications
    assert notification.user_id == 7
    assert "Comment 999 was updated by user 7" in notification.text
    assert [call.method for call in portal.calls] == ["im.notify.system.add"]
    assert await denied(redis) == []
