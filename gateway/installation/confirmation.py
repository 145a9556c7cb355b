"""Decides whether a claimed installation is one, by what the authorization server says of its
token.

Anybody can post a body to a public address. What nobody else has is an access token that the
authorization server gave out for this application in that portal, and its method `app.info` says
whose a token is. The servers that are asked are those of the settings. No I/O.

https://apidocs.bitrix24.com/settings/oauth/simple-way.html
"""

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from gateway.bitrix24.applications import host_of
from gateway.bitrix24.authorization import AppInfo
from gateway.bitrix24.tokens import Tokens
from gateway.installation.claim import Claim
from gateway.installation.errors import NotConfirmed
from gateway.portals.registry import DOMAIN

__all__ = ["Confirmed", "confirmed", "why_rejected"]

_SERVERS: Final = frozenset({"oauth.bitrix.info", "oauth.bitrix24.tech"})
# https://apidocs.bitrix24.com/settings/oauth/index.html

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Confirmed(Struct, frozen=True, kw_only=True):
    """An installation: the tokens that were claimed, and all else as it was confirmed.

    `application_token` is empty where it is not known yet. `origins` are where the portal's own
    pages come from: the host of its endpoint, and the domain that it is known by. `is_complete` is
    whether Bitrix24 takes the application for installed. Its text form shows no token.
    """

    tokens: Tokens
    application_token: str
    domain: str
    origins: tuple[str, ...]
    status: str
    scope: str
    is_complete: bool
    received_ms: int

    @property
    def member_id(self) -> str:
        """The portal."""
        return self.tokens.member_id

    def __repr__(self) -> str:
        return f"Confirmed(member_id={self.member_id!r}, domain={self.domain!r}, …)"


def why_rejected(claim: Claim, *, servers: Collection[str]) -> str:
    """Why none of `servers`, the roots of those that were asked, knows the claimed token.

    It may be one of Bitrix24's other server, which only knows applications of its own regions. What
    the claim names is no reason to ask there, only to say so.
    """
    named, asked = host_of(claim.server), {host_of(server) for server in servers}
    is_other = named in _SERVERS and asked <= _SERVERS and named not in asked
    return "another_authorization_server" if is_other else "token_rejected"


def confirmed(
    claim: Claim,
    info: AppInfo,
    *,
    client_ids: Collection[str],
    server: str,
    received_ms: int,
    is_complete: bool = True,
) -> Confirmed:
    """The installation that the claim is about, by what `server` (its root) has said of it.

    `client_ids` are the applications that are listed for that server.
    An application with a page is installed when that page has said so: until then `is_complete` is
    false. Raises NotConfirmed with the first difference.
    """
    if info.client_id not in client_ids:
        raise NotConfirmed("other_application")
    if info.member_id != claim.member_id:
        raise NotConfirmed("other_portal")
    if claim.user_id and claim.user_id != info.user_id:
        raise NotConfirmed("other_user")
    if is_complete and not info.is_installed:
        raise NotConfirmed("not_installed")
    place = urlsplit(info.endpoint)
    if not DOMAIN.fullmatch(place.netloc):
        raise NotConfirmed("no_endpoint")
    # Never called; but who has put another one into the body has changed what Bitrix24 wrote.
    if claim.endpoint and _place(claim.endpoint) != _place(info.endpoint):
        raise NotConfirmed("other_endpoint")
    return Confirmed(
        tokens=Tokens(
            member_id=info.member_id,
            endpoint=info.endpoint,
            user_id=info.user_id,
            access_token=claim.access_token,
            expires_at=claim.expires_at,
            refresh_token=claim.refresh_token,
            renewed_at=received_ms // 1000,
            client_id=info.client_id,
            server=server,
        ),
        application_token=claim.application_token,
        # What the portal is called is where it is: the body's `domain` is that of whatever address
        # somebody had in the browser.
        domain=place.netloc,
        origins=tuple(
            dict.fromkeys(
                f"{place.scheme}://{domain}"
                for domain in (place.netloc, info.domain)
                if DOMAIN.fullmatch(domain)
            )
        ),
        status=info.status,
        scope=info.scope,
        is_complete=info.is_installed,
        received_ms=received_ms,
    )


def _place(url: str) -> tuple[str, int | None] | None:
    """Host and port; None for what is no URL, which no endpoint equals."""
    try:
        place = urlsplit(url)
        port = place.port or _DEFAULT_PORTS.get(place.scheme)
    except ValueError:
        return None
    return (place.hostname or "", port)
