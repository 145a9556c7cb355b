"""Knows the applications that the settings list, each at its authorization server; no I/O.

A portal has installed one of them, and its tokens say which. They are good nowhere else, and go
nowhere else: neither the refresh token to another server, nor another application's key with it.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

from gateway.bitrix24.authorization import AuthorizationServer
from gateway.bitrix24.errors import NoCredentials
from gateway.bitrix24.tokens import Tokens

__all__ = ["Applications", "host_of"]


class Applications:
    """Holds all applications, in the order of the settings."""

    def __init__(self, listed: Iterable[AuthorizationServer]) -> None:
        self._listed = tuple(listed)

    def servers(self, named: str = "") -> list[AuthorizationServer]:
        """One application of each server, to ask whose a token is; that of `named` (a URL) first.

        What is named is believed no further: none is among them but those of the settings.
        """
        by_url = {one.url: one for one in reversed(self._listed)}
        ordered = [by_url[url] for url in dict.fromkeys(one.url for one in self._listed)]
        return sorted(ordered, key=lambda one: host_of(one.url) != host_of(named))

    def ids_at(self, url: str) -> frozenset[str]:
        """The ids of the applications that are listed for the server at this root."""
        return frozenset(one.client_id for one in self._listed if one.url == url)

    def of(self, tokens: Tokens) -> AuthorizationServer:
        """The application that these tokens were issued to.

        What was kept before there could be several is the first one's. Raises NoCredentials if the
        application is not listed any more, or at another server.
        """
        wanted = self.named(tokens)
        for one in self._listed:
            if (one.client_id, one.url) == (wanted.client_id, wanted.server):
                return one
        raise NoCredentials(
            f"the portal has the application {wanted.client_id} of {wanted.server}, "
            "which the settings do not list"
        )

    def named(self, tokens: Tokens) -> Tokens:
        """The tokens with their application, should they be from before there could be several."""
        if tokens.client_id or not self._listed:
            return tokens
        first = self._listed[0]
        return msgspec.structs.replace(tokens, client_id=first.client_id, server=first.url)


def host_of(url: str) -> str:
    """The host in a URL, with its port if there is one; empty where there is none."""
    try:
        return urlsplit(url).netloc.lower()
    except ValueError:
        return ""
