"""Where links in messages lead: to where a portal is registered, whatever an event names."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from consumers.notifier.portal_domains import Domains
from gateway.contract import Comment, CommentEvent
from gateway.portals.facts import PortalFacts
from gateway.portals.registry import Registry
from gateway.settings import PortalSettings
from tests.integration.notifier.desk import Desk, with_text
from tests.integration.notifier.processes import MEMBER, comment_event
from tests.integration.notifier.sinks import HttpSink, http_sink

COMMENT = Comment(state="present", text="x", entity_type="deal", entity_id=2)


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    async with http_sink() as listening:
        yield listening


def forged() -> CommentEvent:
    event = with_text(comment_event(999), COMMENT)
    return replace(event, data=replace(event.data, domain="login-acme.evil.example"))


async def test_a_link_leads_to_where_the_settings_have_the_portal(
    redis: Redis, sink: HttpSink
) -> None:
    desk = Desk(
        redis,
        {"urls": (sink.url,), "window_s": 0.0},
        portals=(
            PortalSettings(
                member_id=MEMBER, domain="acme.bitrix24.com", application_tokens=("env:FAKE",)
            ),
        ),
    )

    await desk.hear(forged())
    await desk.work()

    (body,) = sink.bodies
    assert "https://acme.bitrix24.com/crm/deal/details/2/" in body
    assert "login-acme.evil.example" not in body
    assert "The sender called the portal login-acme[.]evil[.]example." in body
    assert sink.received[0].body["title"] == "Comment updated: deal 2 (acme.bitrix24.com)"


async def test_the_authorization_server_knows_a_portals_address_best(redis: Redis) -> None:
    domains = Domains({"settled": "settled.bitrix24.com", "renamed": "old.bitrix24.com"})
    registry, facts = Registry(redis, prefix="b24"), PortalFacts(redis, prefix="b24")
    now = datetime(2026, 1, 5, tzinfo=UTC)
    digest = sha256(b"fake").digest()
    await registry.add("settled", "registered.bitrix24.com", digest, now=now)
    await registry.add("learnt", "learnt.bitrix24.com", digest, now=now)
    await facts.learn("renamed", domain="new.bitrix24.com")

    await domains.read(redis, prefix="b24")

    assert domains.find("settled") == "settled.bitrix24.com"
    assert domains.find("learnt") == "learnt.bitrix24.com"
    assert domains.find("renamed") == "new.bitrix24.com"
    assert domains.find("nobody") is None

    await redis.flushdb()
    await domains.read(redis, prefix="b24")
    assert domains.find("learnt") == "learnt.bitrix24.com"
