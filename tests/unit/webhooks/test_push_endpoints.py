import hmac
from base64 import b64encode
from typing import Any

import pytest

from gateway.contract import OtherEvent
from gateway.errors import OperatorError
from gateway.settings import EndpointSettings, RelaySettings
from gateway.webhooks.push_endpoints import endpoints_of
from tests.unit.webhooks.test_cloud_event_requests import EVENT

SECRET = "whsec_" + b64encode(b"a fake secret for these tests.").decode()
OTHER = OtherEvent(
    id="2",
    source="urn:bitrix24:aaaa",
    type="bitrix24.crm.deal.updated",
    subject="deal/7",
    time="2026-01-05T10:00:00Z",
    receivedat="2026-01-05T10:00:00Z",
)


def relay(*endpoints: dict[str, Any], **options: Any) -> RelaySettings:
    default = {"name": "crm", "url": "https://crm.example.com/hook", "secrets": (SECRET,)}
    return RelaySettings(
        endpoints=tuple(EndpointSettings(**default | one) for one in endpoints or ({},)), **options
    )


def test_an_endpoint_has_a_group_of_its_own() -> None:
    (endpoint,) = endpoints_of(relay())

    assert endpoint.group == "relay-crm"
    (key,) = endpoint.keys
    assert key.digest() == hmac.digest(b"a fake secret for these tests.", b"", "sha256")


def test_an_account_in_the_url_becomes_basic_authentication() -> None:
    (endpoint,) = endpoints_of(relay({"url": "https://one:s%3Acret@1c.example.com:8443/hs?a=b"}))

    assert endpoint.url == "https://1c.example.com:8443/hs?a=b"
    assert endpoint.authorization == f"Basic {b64encode(b'one:s:cret').decode()}"


@pytest.mark.parametrize(
    ("conditions", "takes"),
    [
        ({}, (True, True)),
        ({"types": ("bitrix24.crm.deal.*",)}, (False, True)),
        ({"types": ("*.comment.updated", "*.deal.deleted")}, (True, False)),
        ({"portals": ("aaaa",)}, (False, True)),
        ({"portals": ("sandbox.bitrix24.example", "5a4d")}, (True, False)),
        ({"portals": ("aaaa",), "types": ("*.comment.*",)}, (False, False)),
    ],
)
def test_an_endpoint_takes_what_meets_all_its_conditions(
    conditions: dict[str, Any], takes: tuple[bool, bool]
) -> None:
    (endpoint,) = endpoints_of(relay(conditions))

    assert (endpoint.takes(EVENT), endpoint.takes(OTHER)) == takes


def test_all_faults_are_told_at_once_and_no_secret_is() -> None:
    with pytest.raises(OperatorError) as raised:
        endpoints_of(
            relay(
                {"name": "a", "url": "ftp://example.com"},
                {"name": "b", "url": "https://one:hunter2@10.1.2.3/"},
                {"name": "c", "secrets": ("hunter2",)},
                {"name": "c"},
                {"name": "d", "secrets": ("env:NOBODY_SETS_THIS",)},
            )
        )

    lines = str(raised.value).splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "[[relay.endpoints]] a url",
        "[[relay.endpoints]] b url",
        "[[relay.endpoints]] c secrets[1]",
        "[[relay.endpoints]] c name",
        "[[relay.endpoints]] d secrets[1]",
    ]
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("url", ["http://localhost/", "http://127.0.0.1:8080/", "http://[::1]/"])
def test_this_machine_is_no_endpoint_unless_it_is_allowed(url: str) -> None:
    with pytest.raises(OperatorError, match=r"\[relay\] allow_private"):
        endpoints_of(relay({"url": url}))

    assert endpoints_of(relay({"url": url}, allow_private=True))


@pytest.mark.parametrize("host", ["crm..example.com", "a" * 64 + ".com", "crm example.com"])
def test_a_host_that_nobody_can_look_up_stops_the_start(host: str) -> None:
    with pytest.raises(OperatorError, match=r"crm url: no host can have such a name"):
        endpoints_of(relay({"url": f"https://{host}/hook"}))


@pytest.mark.parametrize("host", ["crm_1.example.com", "crm.example.com.", "магазин.рф"])
def test_an_unusual_host_may_be_an_endpoint(host: str) -> None:
    (endpoint,) = endpoints_of(relay({"url": f"https://{host}/hook"}))

    assert endpoint.url == f"https://{host}/hook"
