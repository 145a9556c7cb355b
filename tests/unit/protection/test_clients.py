"""Which requests come from the same client."""

from ipaddress import ip_network

import pytest

from gateway.web.protection.clients import Clients


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        (("192.0.2.1", ()), ("192.0.2.1", ()), True),
        (("192.0.2.1", ()), ("192.0.2.2", ()), False),
        (("192.0.2.1", ()), ("192.0.2.1", ("198.51.100.7",)), True),
        (("2001:db8::1", ()), ("2001:db8::ffff:1", ()), True),
        (("2001:db8::1", ()), ("2001:db8:0:1::1", ()), False),
        (("127.0.0.1", ("192.0.2.1",)), ("127.0.0.1", ("192.0.2.2",)), False),
        (("127.0.0.1", ("9.9.9.9, 192.0.2.1",)), ("127.0.0.1", ("192.0.2.1",)), True),
        (("10.0.0.1", ("192.0.2.1",)), ("192.0.2.1", ()), True),
        ((None, ()), ("127.0.0.1", ("nonsense",)), True),
    ],
)
def test_a_client_is_its_address_or_its_ipv6_network(
    one: tuple[str | None, tuple[str, ...]],
    other: tuple[str | None, tuple[str, ...]],
    is_same: bool,  # noqa: FBT001 - a parameter of pytest's
) -> None:
    clients = Clients([ip_network("10.0.0.1/32")])

    assert (clients.of(*one) == clients.of(*other)) is is_same
