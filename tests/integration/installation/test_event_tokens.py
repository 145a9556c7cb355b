"""Tokens that come with events refresh what is kept, behind the back of the receiver."""

import time
from collections.abc import AsyncIterator

import msgspec
import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from gateway.bitrix24.connecting import Bitrix24, connect
from gateway.bitrix24.token_store import TokenStore
from gateway.installation.event_tokens import EventTokens
from gateway.portals.application_tokens import digest_of
from gateway.portals.facts import PortalFacts
from gateway.sandbox.live_portal import LivePortal
from tests.integration.installation.bodies import forged, post
from tests.integration.installation.running import Gateway
from tests.support.eventually import eventually

YEAR_S = 365 * 24 * 3600


@pytest.fixture
async def bitrix24(gateway: Gateway) -> AsyncIterator[Bitrix24]:
    async with connect(gateway.settings) as one:
        yield one


@pytest.fixture
async def store(bitrix24: Bitrix24, gateway: Gateway, portal: LivePortal) -> TokenStore:
    """What is kept of a portal whose access token has been used for a while."""
    await portal.install(gateway.url)
    await portal.sent()
    assert bitrix24.tokens is not None
    kept = await bitrix24.tokens.read(portal.member_id)
    assert kept is not None
    older = msgspec.structs.replace(kept, expires_at=kept.expires_at - 600)
    await bitrix24.tokens.install(older)
    client_id = gateway.settings.bitrix24.client_id
    await eventually(lambda: len(portal.bindings.of(client_id)) > 1)
    return bitrix24.tokens


@pytest.fixture
def facts(redis: Redis) -> PortalFacts:
    return PortalFacts(redis, prefix="b24")


def comment(portal: LivePortal) -> None:
    portal.comments.add(entity_type="deal", entity_id=5, text="hello")


def looked_at(result: str) -> float:
    return REGISTRY.get_sample_value("b24gw_event_tokens_total", {"result": result}) or 0.0


async def test_the_token_of_an_event_takes_the_place_of_an_older_one(
    portal: LivePortal, gateway: Gateway, store: TokenStore
) -> None:
    before = await store.read(portal.member_id)
    assert before is not None

    comment(portal)
    await portal.sent()

    async def is_taken() -> bool:
        kept = await store.read(portal.member_id)
        return kept is not None and kept.access_token != before.access_token

    await eventually(is_taken)
    kept = await store.read(portal.member_id)
    assert kept is not None
    assert (kept.refresh_token, kept.endpoint) == (before.refresh_token, before.endpoint)


async def test_no_event_can_keep_a_token_for_longer_than_an_hour(
    portal: LivePortal, gateway: Gateway, store: TokenStore, facts: PortalFacts
) -> None:
    comment(portal)
    await portal.sent()
    sent = next(one.body for one in portal.deliveries if one.event == "comment.added")
    tokens = EventTokens(store, facts)
    tokens.start()

    tokens.offer(portal.member_id, forged(sent, expires=str(int(time.time()) + YEAR_S)))

    before = looked_at("taken")
    await eventually(lambda: looked_at("taken") > before)
    await tokens.close()
    kept = await store.read(portal.member_id)
    assert kept is not None
    assert kept.expires_at <= time.time() + 3601


async def test_a_token_of_the_application_that_was_there_before_is_not_taken(
    portal: LivePortal, gateway: Gateway, store: TokenStore, facts: PortalFacts
) -> None:
    comment(portal)
    await portal.sent()
    sent = next(one.body for one in portal.deliveries if one.event == "comment.added")
    await facts.learn(portal.member_id, digest=digest_of("fake-token-of-another-one").hex())
    before, none = await store.read(portal.member_id), looked_at("none")
    tokens = EventTokens(store, facts)
    tokens.start()

    tokens.offer(portal.member_id, forged(sent, access_token="fake-newer", expires="9999999999"))

    await eventually(lambda: looked_at("none") == none + 1)
    await tokens.close()
    assert await store.read(portal.member_id) == before


async def test_after_a_token_was_taken_bodies_are_not_looked_at_for_half_an_hour(
    portal: LivePortal, gateway: Gateway, store: TokenStore, facts: PortalFacts
) -> None:
    by_receiver = looked_at("taken")
    comment(portal)
    await portal.sent()
    await eventually(lambda: looked_at("taken") == by_receiver + 1)
    sent = next(one.body for one in portal.deliveries if one.event == "comment.added")
    without = forged(sent, access_token=None)
    tokens = EventTokens(store, facts)
    tokens.start()
    taken, none = looked_at("taken"), looked_at("none")

    for body in (without, b"\xff=%ff&x", sent):
        tokens.offer(portal.member_id, body)
    await eventually(lambda: looked_at("taken") == taken + 1)
    for _ in range(3):
        tokens.offer(portal.member_id, sent)
        tokens.offer(portal.member_id, without)
    tokens.offer("another", without)
    await eventually(lambda: looked_at("none") == none + 3)
    await tokens.close()

    assert looked_at("taken") == taken + 1


async def test_an_event_of_a_portal_without_tokens_brings_none(
    portal: LivePortal, gateway: Gateway, store: TokenStore
) -> None:
    comment(portal)
    await portal.sent()
    await store.forget(portal.member_id)
    sent = next(one.body for one in portal.deliveries if one.event == "comment.added")

    assert (await post(gateway.url, sent)).status == 200

    assert await store.read(portal.member_id) is None
