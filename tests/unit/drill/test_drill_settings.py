"""The processes of a drill have what is tried of the installation, and none of its secrets."""

from pathlib import Path

import pytest

from gateway.drill.drill_settings import (
    DrillPlace,
    drill_settings,
    inherited,
    url_through,
    variables_of,
)
from gateway.redis_access.redis_url import RedisAddress
from gateway.sandbox.portal import SANDBOX
from gateway.settings import (
    ConsumersSettings,
    PortalSettings,
    PublishSettings,
    RedisSettings,
    Settings,
    VaultSettings,
    load,
)

PLACE = DrillPlace(
    redis_url="redis://127.0.0.1:1/0",
    prefix="b24:drill:0123abcd",
    directory=Path("/spool/drill/0123abcd"),
    port=1,
    admin_port=2,
)
INSTALLATION = Settings(
    redis=RedisSettings(url="redis://:FAKE-SECRET@real", partitions=64),
    publish=PublishSettings(ack="fsynced", deadline_s=1.5),
    consumers=ConsumersSettings(lease_s=3),
    vault=VaultSettings(keys=("FAKE-SECRET",)),
    portals=(
        PortalSettings(
            member_id="real", domain="real.example", application_tokens=("FAKE-SECRET",)
        ),
    ),
)


def test_what_is_tried_is_the_installations() -> None:
    settings = drill_settings(INSTALLATION, PLACE)

    assert settings.publish == INSTALLATION.publish
    assert settings.consumers.lease_s == 3
    assert settings.redis.prefix == PLACE.prefix
    assert settings.redis.partitions == 4
    assert [portal.member_id for portal in settings.portals] == [SANDBOX.member_id]


def test_no_secret_of_the_installation_is_told_to_a_process() -> None:
    variables = variables_of(drill_settings(INSTALLATION, PLACE))

    assert not [name for name, text in variables.items() if "FAKE-SECRET" in text]
    assert load(None, variables) == drill_settings(INSTALLATION, PLACE)


def test_nothing_of_the_installation_is_inherited() -> None:
    variables = {
        "PATH": "/bin",
        "GATEWAY_VAULT_KEYS": "FAKE-SECRET",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector",
        "NOTIFY_SOCKET": "/run/systemd/notify",
    }

    assert inherited(variables) == {"PATH": "/bin"}


@pytest.mark.parametrize(
    "url",
    [
        "redis://127.0.0.1:6379/3",
        "redis://drill:p%40ss%26word@redis.example/0",
        "rediss://:secret@redis.example/1?ssl_cert_reqs=none",
        "redis+sentinel://drill:p%2Fq@one,two/mine/2",
        "unix:///run/redis.sock?db=4",
    ],
)
def test_the_way_through_the_proxy_has_the_same_account_and_database(url: str) -> None:
    address = RedisAddress.of(url)
    through = RedisAddress.of(url_through(address, "redis://127.0.0.1:7/0"))

    assert (through.kind, through.nodes, through.tls) == ("server", (("127.0.0.1", 7),), None)
    assert (through.username, through.password) == (address.username, address.password)
    assert through.db == address.db
