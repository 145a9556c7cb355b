"""Which names the listeners for operators answer to."""

import pytest

from gateway.hosts import is_known


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8081",
        "10.1.2.3",
        "[::1]:8081",
        "[fe80::1]",
        "localhost",
        "LocalHost:8081",
        "localhost.",
        "gateway-admin:8081",
        "Gateway-Admin",
        None,
    ],
)
def test_addresses_localhost_and_names_of_the_settings_are_known(host: str | None) -> None:
    assert is_known(host, ["gateway-admin"])


@pytest.mark.parametrize(
    "host",
    [
        "rebound.attacker.example",
        "rebound.attacker.example:8081",
        "127.0.0.1.attacker.example",
        "localhost.attacker.example",
        "gateway-admin.attacker.example",
        "1.2.3",
        "",
        "[",
    ],
)
def test_other_names_are_not(host: str) -> None:
    assert not is_known(host, ["gateway-admin"])
