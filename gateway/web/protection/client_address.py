"""Finds which address a request comes from, through the proxies that are trusted. Pure."""

from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

__all__ = ["Address", "Network", "Networks", "address_of", "client_of", "network_of"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Networks:
    """Holds a set of networks, in as few ranges as it takes."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        given = tuple(networks)
        self._ranges: tuple[Network, ...] = (
            *collapse_addresses(one for one in given if isinstance(one, IPv4Network)),
            *collapse_addresses(one for one in given if isinstance(one, IPv6Network)),
        )

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self._ranges)

    def __len__(self) -> int:
        return len(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Networks) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __str__(self) -> str:
        return ", ".join(map(str, self._ranges))


def network_of(text: str) -> Network | None:
    """A network or a single address, `10.1.2.0/24` or `2001:db8::1`; None if it is neither."""
    try:
        network = ip_network(text.strip(), strict=False)
    except ValueError:
        return None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:
        return ip_network((mapped, network.prefixlen - 96))
    return network


def address_of(text: str) -> Address | None:
    """An address as proxies write it, also with a port or in brackets; None if it is none.

    An IPv4 address that is written as an IPv6 one is the IPv4 address.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def client_of(
    peer: str | None, forwarded_for: Sequence[str], trusted_proxies: Networks
) -> Address | None:
    """Where a request comes from; None if that cannot be told.

    `forwarded_for` are the X-Forwarded-For headers in their order. Each proxy appends whom it was
    talking to, so they are believed from the right, and only as far as trusted proxies wrote them:
    the client is the rightmost address that is not a trusted proxy's. What stands left of it is
    the client's own invention.
    https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/X-Forwarded-For
    """
    client = address_of(peer or "")
    hops = ",".join(forwarded_for).split(",") if forwarded_for else []
    while client is not None and client in trusted_proxies and hops:
        client = address_of(hops.pop())
    return client
