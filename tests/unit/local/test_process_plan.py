import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from gateway.local.process_plan import (
    CONSUMERS,
    can_call_portals,
    consumers_of,
    listening_ports,
    shared_modules,
    streams_read,
    tiers,
    welcome,
)
from gateway.processes.child import Child
from gateway.settings import (
    Bitrix24Settings,
    ConsumersSettings,
    EndpointSettings,
    FeedSettings,
    FeedTokenSettings,
    HttpSettings,
    NotifierSettings,
    PortalSettings,
    RedisSettings,
    RelaySettings,
    RouteSettings,
    Settings,
)

ACME = PortalSettings(member_id="m", domain="acme", application_tokens=("env:ACME_TOKEN",))
GIVEN = Settings(
    portals=(ACME,), notifier=NotifierSettings(routes=(RouteSettings(urls=("slack://fake",)),))
)


SECRET = "whsec_ZmFrZSBzZWNyZXQgb2YgdGVzdHMgb25seS4u"
ENDPOINT = EndpointSettings(name="crm", url="https://crm.example/", secrets=(SECRET,))


def names(tier: Sequence[Child]) -> list[str]:
    return [child.name for child in tier]


def planned(config: str | None = None, redis: Child | None = None) -> Sequence[Sequence[Child]]:
    return tiers(
        config,
        {"A": "b"},
        consumers=CONSUMERS,
        ports={"audit": 9001, "reconcile": 9002},
        redis=redis,
        receiver_ready=lambda: asyncio.sleep(0),
    )


def test_each_process_has_a_port_of_its_own_that_does_not_change() -> None:
    ports = listening_ports(GIVEN, lambda _host, _port: False)
    assert sorted(ports) == sorted([*CONSUMERS, "reconcile"])
    assert len(set(ports.values()) | {GIVEN.admin.port}) == len(ports) + 1

    taken = listening_ports(GIVEN, lambda _host, port: port == ports["audit"])
    assert taken == {name: port for name, port in ports.items() if name != "audit"}

    own = replace(GIVEN, consumers=ConsumersSettings(port=9100))
    of_own = listening_ports(own, lambda _host, _port: False)
    assert {of_own[name] for name in CONSUMERS} == {9100, 9101, 9102, 9103}


def test_events_are_pushed_where_there_are_endpoints() -> None:
    given = replace(GIVEN, relay=RelaySettings(endpoints=(ENDPOINT,)))

    assert consumers_of(GIVEN) == CONSUMERS
    assert consumers_of(given) == (*CONSUMERS, "relay")
    assert streams_read(given)["relay-crm"] == "comments"
    assert "consumers.relay.consumer" in shared_modules(given, with_demo=False)
    ports = listening_ports(given, lambda _host, _port: False)
    assert ports.pop("relay") == max(ports.values()) + 1
    assert ports == listening_ports(GIVEN, lambda _host, _port: False)


def test_events_are_served_where_there_are_tokens() -> None:
    token = FeedTokenSettings(name="crm", digests=("0" * 64,))
    given = replace(GIVEN, feed=FeedSettings(tokens=(token,)))

    assert consumers_of(given) == (*CONSUMERS, "feed")
    assert "consumers.feed.feed_process" in shared_modules(given, with_demo=False)
    ports = listening_ports(given, lambda _host, _port: False)
    assert ports.pop("feed") == max(ports.values()) + 2  # behind the relay's
    told = welcome(given, command="gateway", own_redis=None, with_demo=False)
    assert "  the feed               GET http://127.0.0.1:8090/events" in told


def test_a_process_is_told_its_port() -> None:
    told = {child.name: dict(child.env) for tier in planned() for child in tier}

    assert told["audit"] == {"A": "b", "GATEWAY_CONSUMERS_PORT": "9001"}
    assert told["reconcile"] == {"A": "b", "GATEWAY_RECONCILE_PORT": "9002"}
    assert told["receiver"] == {"A": "b"}


def test_redis_comes_first_and_the_receiver_last() -> None:
    redis = Child(name="redis", argv=("redis-server",))

    assert [names(tier) for tier in planned(redis=redis)] == [
        ["redis"],
        ["audit", "enricher", "warehouse", "notifier", "reconcile"],
        ["receiver"],
    ]
    assert names(planned()[0]) == []


def test_every_process_reads_the_same_file_and_variables() -> None:
    children = [child for tier in planned("other.toml") for child in tier]

    assert all(child.argv[3:5] == ("--config", "other.toml") for child in children)
    assert all((child.env or {})["A"] == "b" for child in children)
    assert [child.argv[-1] for child in children] == [
        *("audit", "enricher", "warehouse", "notifier", "reconcile", "serve"),
    ]


def test_the_welcome_names_what_a_person_needs_and_no_secret() -> None:
    settings = Settings(
        redis=RedisSettings(url="redis://user:fake-password@redis.example:6379/0"),
        http=HttpSettings(host="0.0.0.0", port=9000),
        portals=(ACME,),
    )

    told = "\n".join(welcome(settings, command="gateway", own_redis=None, with_demo=True))

    for fact in (
        "POST http://127.0.0.1:9000/bitrix24/events",
        "http://127.0.0.1:8081/healthz",
        "redis://user:***@redis.example:6379/0",
        "var/audit/",
        "duckdb:///var/warehouse.duckdb",
        "gateway tail",
        "gateway trigger comment.updated --url http://127.0.0.1:9000/bitrix24/events",
        "Ctrl-C",
        "once a second",
    ):
        assert fact in told
    assert "fake-password" not in told
    assert "none yet: those that install" in "\n".join(
        welcome(
            Settings(bitrix24=Bitrix24Settings(client_id="app.fake")),
            command="gateway",
            own_redis=None,
            with_demo=False,
        )
    )
    assert "none: every request" in "\n".join(
        welcome(Settings(), command="gateway", own_redis="redis-server 8.0.0", with_demo=False)
    )


def test_missed_events_are_looked_for_where_portals_can_be_called() -> None:
    by_webhook = replace(ACME, rest_webhook="env:ACME_WEBHOOK")

    assert not can_call_portals(GIVEN)
    assert can_call_portals(replace(GIVEN, bitrix24=Bitrix24Settings(client_id="local.fake")))
    assert can_call_portals(replace(GIVEN, portals=(by_webhook,)))


def test_silence_is_listened_for_whether_portals_can_be_called_or_not() -> None:
    (_, behind, _) = planned()
    assert behind[-1].name == "reconcile"
    assert behind[-1].argv[1:] == ("-m", "gateway", "reconcile")
