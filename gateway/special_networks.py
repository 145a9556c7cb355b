"""Tells networks that are not the public internet, by the registries that say so.

https://www.iana.org/assignments/iana-ipv4-special-registry
https://www.iana.org/assignments/iana-ipv6-special-registry
https://www.iana.org/assignments/ipv6-address-space
https://www.iana.org/assignments/multicast-addresses

A table of our own, because `ipaddress.is_global` is another one in each version of Python, and
takes what no registry mentions for public: of IPv6, only 2000::/3 is given out.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final

__all__ = ["Network", "is_public", "undisguised"]

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_IPV4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # shared between customers and their provider
        "127.0.0.0/8",  # loopback
        "169.254.0.0/16",  # link-local, where clouds keep their metadata
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # relays of 6to4, no longer in use
        "192.168.0.0/16",  # private
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)
_GIVEN_OUT: Final = IPv6Network("2000::/3")
_IPV6: Final = tuple(
    IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments: Teredo, benchmarks, ORCHID and others
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: an IPv4 address in it is judged as what it is
        "3ffe::/16",  # the former 6bone, given back
        "3fff::/20",  # documentation
    )
)
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
_6TO4: Final = IPv6Network("2002::/16")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, and of one machine there."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _IPV4)
    return address in _GIVEN_OUT and not any(address in network for network in _IPV6)


def undisguised(address: Address) -> Address:
    """The IPv4 address that stands in an IPv6 one by a registered scheme; else the same."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address(int(address) >> 80 & 0xFFFFFFFF)
    return address
