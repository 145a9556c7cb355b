"""Keeps the allow-list of networks: whether a client may deliver anything at all."""

from collections.abc import Sequence
from typing import Any, Final

import structlog

from gateway import metrics
from gateway.errors import OperatorError
from gateway.settings import HttpSettings
from gateway.web.protection.client_address import Network, Networks, client_of, network_of
from gateway.web.protection.clients import Clients

__all__ = ["Guard", "clients_of", "guard_of", "trusted_proxies_of"]

log: Any = structlog.get_logger(__name__)

_REMEMBERED: Final = 4096
_REMEMBERED_LENGTH: Final = 256
# A megabyte at most; Bitrix24 sends from some dozens of addresses.


class Guard:
    """Knows the networks that may deliver: those of the settings, and those that were `found`.

    While `needs_found` and nothing was found yet, everybody may: the list that Bitrix24's own
    addresses stand in is not known, and tokens still tell who sends.
    """

    def __init__(
        self,
        settled: Networks,
        trusted_proxies: Networks,
        *,
        is_dry_run: bool = False,
        needs_found: bool = False,
    ) -> None:
        self._settled = settled
        self._found = Networks()
        self._trusted_proxies = trusted_proxies
        self._is_dry_run = is_dry_run
        self._needs_found = needs_found
        self._outsiders: dict[tuple[str | None, ...], str | None] = {}

    @property
    def found(self) -> Networks:
        """The networks that were found last."""
        return self._found

    def allow(self, found: Networks) -> None:
        """Let these deliver from now on, instead of those that were found before."""
        self._found = found
        self._needs_found = False
        self._outsiders.clear()

    def knows(self, peer: str | None, forwarded_for: Sequence[str]) -> bool:
        """Whether `refuses` has looked at this client lately, and let it deliver."""
        return self._outsiders.get((peer, *forwarded_for), "unknown") is None

    def refuses(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """None if the client may deliver, else its address, for the log.

        `forwarded_for` are the X-Forwarded-For headers in their order. In a dry run nobody is
        refused, but counted and, once for each address, logged.
        """
        client = (peer, *forwarded_for)
        try:
            outsider = self._outsiders[client]
        except KeyError:
            outsider = self._judged(client)
        if outsider is not None and self._is_dry_run:
            metrics.WOULD_REFUSE.inc()
            return None
        return outsider

    def _judged(self, client: tuple[str | None, ...]) -> str | None:
        peer, *forwarded_for = client
        address = client_of(peer, [one or "" for one in forwarded_for], self._trusted_proxies)
        is_in = address is not None and (address in self._settled or address in self._found)
        outsider = None if is_in or self._needs_found else str(address or "unknown")
        if outsider is not None and self._is_dry_run:
            log.warning("delivery would be refused", reason="not_allowed_network", client=outsider)
        if sum(len(one or "") for one in client) <= _REMEMBERED_LENGTH:
            if len(self._outsiders) >= _REMEMBERED:
                self._outsiders.clear()
            self._outsiders[client] = outsider
        return outsider


def clients_of(settings: HttpSettings) -> Clients:
    """Who tells clients apart by these settings. Raises OperatorError."""
    return Clients(_networks(settings.trusted_proxies, "trusted_proxies"))


def trusted_proxies_of(settings: HttpSettings) -> Networks:
    """The proxies that these settings believe. Raises OperatorError."""
    return Networks(_networks(settings.trusted_proxies, "trusted_proxies"))


def guard_of(settings: HttpSettings) -> Guard | None:
    """The guard of these settings; None when it is off. Raises OperatorError."""
    settled = Networks(_networks(settings.allow_networks, "allow_networks"))
    trusted_proxies = trusted_proxies_of(settings)
    if settings.allow_mode == "off":
        return None
    if not len(settled) and not settings.allow_source:
        raise OperatorError(
            f"[http] allow_mode is {settings.allow_mode}, but neither allow_networks nor "
            "allow_source says who may deliver"
        )
    return Guard(
        settled,
        trusted_proxies,
        is_dry_run=settings.allow_mode == "dry_run",
        needs_found=bool(settings.allow_source),
    )


def _networks(texts: Sequence[str], key: str) -> list[Network]:
    networks = []
    for text in texts:
        network = network_of(text)
        if network is None:
            raise OperatorError(f"[http] {key}: {text} is neither an address nor a network")
        networks.append(network)
    return networks
