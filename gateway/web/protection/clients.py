"""Says who sends, for bounds on what one client may cost; whom to believe is another question."""

from collections.abc import Sequence
from hashlib import sha256
from ipaddress import IPv6Address, ip_network
from typing import Final

from gateway.web.protection.client_address import Network, Networks, client_of

__all__ = ["Clients"]

_LOOPBACK: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
_OWN_BITS: Final = 64
# What is behind them is one client's choice: https://www.rfc-editor.org/rfc/rfc4291#section-2.5.1


class Clients:
    """Tells clients apart, by their address or the IPv6 network that is one client's.

    A proxy on this machine is believed, beside those that are trusted: nobody else comes from a
    loopback address, and behind a proxy all would be one client.
    """

    def __init__(self, trusted_proxies: Sequence[Network]) -> None:
        self._proxies = Networks((*trusted_proxies, *_LOOPBACK))

    def of(self, peer: str | None, forwarded_for: Sequence[str]) -> str:
        """A short name for a client, the same in every process; its address cannot be seen in it.

        Those whose address cannot be told are one client.
        """
        address = client_of(peer, forwarded_for, self._proxies)
        whole = str(address or "unknown")
        if isinstance(address, IPv6Address):
            whole = str(ip_network((address, _OWN_BITS), strict=False))
        return sha256(whole.encode()).hexdigest()[:8]
