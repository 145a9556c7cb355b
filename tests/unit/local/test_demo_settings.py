"""What the demo makes of the settings of whoever runs it."""

from hashlib import sha256

import pytest
from msgspec.structs import replace

from gateway.errors import OperatorError
from gateway.local.demo_services import DemoServices
from gateway.local.demo_settings import FEED_TOKEN, demo_settings
from gateway.local.process_plan import CONSUMERS, consumers_of, environment
from gateway.sandbox.grants import RegisteredApplication
from gateway.sandbox.portal import SANDBOX
from gateway.settings import (
    AdminSettings,
    Bitrix24Settings,
    EndpointSettings,
    EventSettings,
    FeedSettings,
    FeedTokenSettings,
    HttpSettings,
    NotifierSettings,
    PortalSettings,
    RedisSettings,
    RelaySettings,
    RouteSettings,
    Settings,
    load,
)

SECRET = "whsec_ZmFrZSBzZWNyZXQgb2YgdGVzdHMgb25seS4u"
OURS = EndpointSettings(name="demo", url="http://127.0.0.1:1/events", secrets=(SECRET,))
THEIRS = EndpointSettings(name="crm", url="https://crm.example/", secrets=(SECRET,))
GIVEN = Settings(
    portals=(PortalSettings(member_id="m", domain="acme", application_tokens=("env:TOKEN",)),),
    notifier=NotifierSettings(routes=(RouteSettings(urls=("slack://fake",)),)),
    relay=RelaySettings(endpoints=(THEIRS,)),
    feed=FeedSettings(host="0.0.0.0", tokens=(FeedTokenSettings(name="x", digests=("0" * 64,)),)),
)


def with_demo(given: Settings) -> Settings:
    return demo_settings(
        given,
        services=DemoServices("json://127.0.0.1:1/", OURS),
        authorization_url="http://127.0.0.1:2/",
        application=RegisteredApplication(client_id="local.fake", client_secret="fake-secret"),
    )


def test_the_demo_adds_its_portal_and_keeps_what_it_tells_to_itself() -> None:
    demo = with_demo(GIVEN)

    assert [portal.member_id for portal in demo.portals] == ["m", SANDBOX.member_id]
    assert [route.urls for route in demo.notifier.routes] == [("json://127.0.0.1:1/",)]
    assert [endpoint.url for endpoint in demo.relay.endpoints] == [OURS.url]
    assert [token.digests for token in demo.feed.tokens] == [
        (sha256(FEED_TOKEN.encode()).hexdigest(),)
    ]
    assert demo.feed.host == "127.0.0.1"
    assert demo.bitrix24.client_id == "local.fake"
    assert demo.bitrix24.public_url == "http://127.0.0.1:8080"
    assert consumers_of(demo) == (*CONSUMERS, "relay", "feed")


def test_the_demo_takes_events_of_comments_deals_and_tasks_unless_others_are_named() -> None:
    taken = with_demo(GIVEN).subscription.types
    assert {
        "bitrix24.crm.timeline.comment.updated",
        "bitrix24.crm.deal.updated",
        "bitrix24.task.updated",
    } <= set(taken)

    own = (EventSettings(name="onCrmLeadAdd"),)
    assert with_demo(replace(GIVEN, events=own)).events == own


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (Settings(bitrix24=Bitrix24Settings(client_id="app.real")), r"\[bitrix24\] client_id"),
        (Settings(http=HttpSettings(host="192.0.2.1")), r"\[http\] host"),
    ],
)
def test_the_demo_refuses_what_it_cannot_be_shown_with(given: Settings, named: str) -> None:
    with pytest.raises(OperatorError, match=named):
        with_demo(given)


def test_the_variables_lead_to_the_wanted_settings_and_say_no_more() -> None:
    wanted = with_demo(
        Settings(
            redis=RedisSettings(url="redis://127.0.0.1:6390/0"),
            http=HttpSettings(port=1),
            admin=AdminSettings(),
        )
    )

    variables = environment(Settings(), wanted)

    assert load(None, variables) == wanted
    assert sorted(variables) == [
        "GATEWAY_BITRIX24_AUTHORIZATION_SERVER",
        "GATEWAY_BITRIX24_CLIENT_ID",
        "GATEWAY_BITRIX24_CLIENT_SECRET",
        "GATEWAY_BITRIX24_PUBLIC_URL",
        "GATEWAY_EVENTS",
        "GATEWAY_FEED_TOKENS",
        "GATEWAY_HTTP_PORT",
        "GATEWAY_NOTIFIER_ALLOW_NETWORKS",
        "GATEWAY_NOTIFIER_ROUTES",
        "GATEWAY_PORTALS",
        "GATEWAY_REDIS_URL",
        "GATEWAY_RELAY_ALLOW_NETWORKS",
        "GATEWAY_RELAY_ENDPOINTS",
    ]
    assert environment(GIVEN, GIVEN) == {}
