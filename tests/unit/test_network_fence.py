from datetime import UTC, datetime

import pytest

from gateway.errors import OperatorError
from gateway.network_fence import Fence
from gateway.retry_after import retry_after_s

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)


# Of AS112, which the registries list as reachable from everywhere.
@pytest.mark.parametrize(
    "address",
    [
        "192.31.196.1",
        "192.175.48.1",
        "2620:4f:8000::1",
        "::ffff:192.31.196.1",
        "64:ff9b::c01f:c401",
    ],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert Fence(section="notifier", allow_private=False, networks=()).allows_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "fd00::1",
        "::ffff:10.1.2.3",
        "64:ff9b::a01:203",
        "2002:a01:203::1",
        # What the registries keep for documentation.
        *("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1", "3fff:fff::1"),
        *("::ffff:192.0.2.1", "64:ff9b::c000:201"),
        "internal.example.com",
        "",
    ],
)
def test_private_addresses_and_bare_names_are_refused(address: str) -> None:
    assert not Fence(section="notifier", allow_private=False, networks=()).allows_address(address)
    assert Fence(section="notifier", allow_private=True, networks=()).allows_address(address)


def test_a_network_can_be_allowed_by_itself() -> None:
    fence = Fence(section="notifier", allow_private=False, networks=("10.1.2.0/24",))

    assert fence.allows_address("10.1.2.3")
    assert fence.allows_address("::ffff:10.1.2.3")
    assert not fence.allows_address("10.1.3.1")


def test_a_url_may_name_a_host_but_not_this_machine() -> None:
    fence = Fence(section="notifier", allow_private=False, networks=())

    assert fence.allows_host("hooks.example.com")
    for host in ("localhost", "LOCALHOST.", "127.0.0.1", "[::1]", "169.254.169.254"):
        assert not fence.allows_host(host)


def test_a_network_that_is_none_is_named() -> None:
    with pytest.raises(OperatorError, match=r"\[notifier\] allow_networks: .*10\.1\.2\.3/24"):
        Fence(section="notifier", allow_private=False, networks=("10.1.2.3/24",))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("1.5", 1.5),
        ("Mon, 05 Jan 2026 10:02:00 GMT", 120),
        ("Mon, 05 Jan 2026 09:00:00 GMT", None),
        ("Mon, 05 Jan 2026 10:02:00 -0000", 120),
        ("Fri, 31 Dec 9999 23:59:59 -2300", 3600),
        ("Mon, 05 Jan 99999999999999999999 10:02:00 GMT", None),
        ("999999", 3600),
        ("-1", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_understood(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, now=NOW, most_s=3600) == seconds
