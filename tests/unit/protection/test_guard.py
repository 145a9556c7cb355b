"""Which clients may deliver: off, in a dry run, enforced; with a list and while there is none."""

from ipaddress import ip_network
from typing import Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from gateway.errors import OperatorError
from gateway.settings import HttpSettings
from gateway.web.protection.client_address import Networks
from gateway.web.protection.guard import Guard, guard_of

FOUND = Networks([ip_network("198.51.100.0/24")])


def guard(**settings: Any) -> Guard:
    made = guard_of(HttpSettings(**({"allow_mode": "enforce"} | settings)))
    assert made is not None
    return made


def would_refuse() -> float:
    return REGISTRY.get_sample_value("b24gw_would_refuse_deliveries_total") or 0.0


def test_when_it_is_off_there_is_none() -> None:
    assert guard_of(HttpSettings(allow_networks=("192.0.2.0/24",))) is None


def test_only_allowed_networks_may_deliver() -> None:
    ours = guard(allow_networks=("192.0.2.0/24", "2001:db8::/32"))

    assert ours.refuses("192.0.2.7", ()) is None
    assert ours.refuses("2001:db8::7", ()) is None
    assert ours.refuses("198.51.100.7", ()) == "198.51.100.7"
    assert ours.refuses(None, ()) == "unknown"


def test_a_client_behind_a_trusted_proxy_is_judged_by_its_own_address() -> None:
    ours = guard(allow_networks=("192.0.2.0/24",), trusted_proxies=("10.0.0.1",))

    assert ours.refuses("10.0.0.1", ("192.0.2.7",)) is None
    assert ours.refuses("10.0.0.1", ("192.0.2.7, 198.51.100.7",)) == "198.51.100.7"
    assert ours.refuses("10.0.0.2", ("192.0.2.7",)) == "10.0.0.2"


def test_what_is_found_later_counts_from_then_on_and_replaces_what_was_found_before() -> None:
    ours = guard(allow_networks=("192.0.2.0/24",), allow_source="senders.json")
    ours.allow(FOUND)
    assert ours.refuses("198.51.100.7", ()) is None
    assert ours.refuses("203.0.113.1", ()) == "203.0.113.1"

    ours.allow(Networks([ip_network("203.0.113.0/24")]))

    assert ours.refuses("198.51.100.7", ()) == "198.51.100.7"
    assert ours.refuses("203.0.113.1", ()) is None
    assert ours.refuses("192.0.2.7", ()) is None


def test_until_the_list_has_been_found_everybody_may_deliver() -> None:
    ours = guard(allow_networks=("192.0.2.0/24",), allow_source="https://lists.example/a.json")

    assert ours.refuses("198.51.100.7", ()) is None
    ours.allow(FOUND)
    assert ours.refuses("203.0.113.1", ()) == "203.0.113.1"


def test_a_dry_run_refuses_nobody_counts_each_and_logs_each_address_once() -> None:
    ours = guard(allow_mode="dry_run", allow_networks=("192.0.2.0/24",))
    before = would_refuse()

    with capture_logs() as logs:
        for peer in ("198.51.100.7", "198.51.100.7", "198.51.100.8", "192.0.2.7"):
            assert ours.refuses(peer, ()) is None

    assert would_refuse() == before + 3
    assert [line["client"] for line in logs] == ["198.51.100.7", "198.51.100.8"]


def test_what_is_remembered_is_bounded() -> None:
    """Who is remembered is logged once: who is logged again had been forgotten."""
    ours = guard(
        allow_mode="dry_run", allow_networks=("192.0.2.0/24",), trusted_proxies=("10.0.0.1",)
    )

    with capture_logs() as logs:
        for number in (0, 0, *range(1, 4097), 0):
            ours.refuses("10.0.0.1", (f"198.51.{number // 256}.{number % 256}",))
        for _ in range(2):
            ours.refuses("10.0.0.1", ("x" * 8000,))

    clients = [line["client"] for line in logs]
    assert (clients.count("198.51.0.0"), clients.count("198.51.0.1")) == (2, 1)
    assert clients.count("unknown") == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"allow_networks": ("192.0.2.0/24", "10.1.2")}, "allow_networks: 10.1.2 is neither"),
        ({"allow_mode": "off", "trusted_proxies": ("proxy",)}, "trusted_proxies: proxy is neither"),
        ({}, "allow_mode is enforce, but neither"),
        ({"allow_mode": "dry_run"}, "allow_mode is dry_run, but neither"),
    ],
)
def test_settings_that_cannot_work_stop_the_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(OperatorError, match=said):
        guard(**settings)
