"""Where a request comes from, and what a network is."""

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.web.protection.client_address import Networks, address_of, client_of, network_of


def networks(*texts: str) -> Networks:
    return Networks([ip_network(text) for text in texts])


PROXIES = networks("10.0.0.0/8", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("192.0.2.1", [], "192.0.2.1"),
        ("192.0.2.1", ["198.51.100.7"], "192.0.2.1"),  # no proxy of ours: its header is invented
        ("10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7, 10.0.0.2,10.0.0.3"], "198.51.100.7"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.7, 10.9.9.9"], "198.51.100.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["198.51.100.7:4711"], "198.51.100.7"),
        ("fd00::1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("::ffff:10.0.0.1", ["198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["::ffff:198.51.100.7"], "198.51.100.7"),
        ("10.0.0.1", ["198.51.100.7, unknown"], None),
        ("10.0.0.1", ["198.51.100.7,"], None),
        ("10.0.0.1", [""], None),
        ("", ["198.51.100.7"], None),
        (None, ["198.51.100.7"], None),
    ],
)
def test_only_trusted_proxies_say_who_the_client_is(
    peer: str | None, forwarded_for: list[str], client: str | None
) -> None:
    assert client_of(peer, forwarded_for, PROXIES) == (ip_address(client) if client else None)


def test_without_trusted_proxies_the_header_is_nothing() -> None:
    assert client_of("10.0.0.1", ["198.51.100.7"], Networks()) == ip_address("10.0.0.1")


@given(st.lists(st.text(max_size=40), max_size=4), st.none() | st.text(max_size=40))
def test_no_header_makes_it_raise(forwarded_for: list[str], peer: str | None) -> None:
    client_of(peer, forwarded_for, PROXIES)
    client_of("10.0.0.1", forwarded_for, PROXIES)


@given(st.ip_addresses())
def test_what_an_attacker_writes_left_of_his_own_address_does_not_count(invented: object) -> None:
    told = [f"{invented}, 198.51.100.7"]

    assert client_of("10.0.0.1", told, PROXIES) == ip_address("198.51.100.7")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.7", "192.0.2.7/32"),
        (" 10.1.2.3/24 ", "10.1.2.0/24"),
        ("2001:db8::1", "2001:db8::1/128"),
        ("::ffff:10.1.2.0/120", "10.1.2.0/24"),
        ("10.1.2", None),
        ("1", None),
        ("", None),
        ("example.com", None),
        ("10.1.2.3/33", None),
    ],
)
def test_a_network_is_read_from_text(text: str, network: str | None) -> None:
    assert network_of(text) == (ip_network(network) if network else None)


def test_an_address_is_in_its_networks_and_in_no_other_kind() -> None:
    some = networks("192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32")

    assert len(some) == 2
    assert ip_address("192.0.2.200") in some
    assert ip_address("192.0.3.1") not in some
    assert ip_address("2001:db8::5") in some
    assert address_of("fe80::1%eth0") == ip_address("fe80::1")
