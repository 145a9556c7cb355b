"""Fences in what this installation connects to on behalf of its settings: public addresses, and
the private networks that the settings allow.

It judges addresses, so whoever connects has to ask with the very address of the socket: a name may
resolve differently the second time (DNS rebinding).
"""

from ipaddress import ip_address, ip_network

from gateway.errors import OperatorError
from gateway.special_networks import Network, is_public, undisguised

__all__ = ["AddressRefused", "Fence"]


class AddressRefused(OSError):
    """The address is in a private network that the settings do not allow."""


class Fence:
    """Says which addresses targets may have: public ones, and those of `networks`; or any.

    `section` is whose settings these are, for what is refused. Raises OperatorError for a network
    that is none.
    """

    def __init__(self, *, section: str, allow_private: bool, networks: tuple[str, ...]) -> None:
        self._section = section
        self._allow_private = allow_private
        try:
            self._networks: tuple[Network, ...] = tuple(map(ip_network, networks))
        except ValueError as error:
            raise OperatorError(f"[{section}] allow_networks: {error}") from error

    def refusal(self) -> AddressRefused:
        """What is raised instead of connecting."""
        return AddressRefused(
            f"the address is in a private network, which [{self._section}] allow_private forbids"
        )

    def allows_host(self, host: str) -> bool:
        """Whether a URL may name this host. A name may; its address is judged when it is used."""
        try:
            ip_address(host.strip("[]"))
        except ValueError:
            return self._allow_private or host.rstrip(".").lower() != "localhost"
        return self.allows_address(host)

    def allows_address(self, host: str) -> bool:
        """Whether a socket may be connected to this address; not to a name, which hides one."""
        if self._allow_private:
            return True
        try:
            address = undisguised(ip_address(host.partition("%")[0].strip("[]")))
        except ValueError:
            return False
        if any(address in network for network in self._networks):
            return True
        return is_public(address)
