"""Describes a portal's OAuth tokens, and decides which of two sets is to be kept; no I/O.

https://apidocs.bitrix24.com/settings/oauth/index.html
"""

from typing import Final

import msgspec
from msgspec import Struct

from gateway.clocks import is_believable

__all__ = ["REFRESH_LIFE_S", "EventToken", "Tokens", "after_event", "after_refresh"]

REFRESH_LIFE_S: Final = 180 * 24 * 3600
"""How long a refresh token is good, in seconds; each refresh gives a new one."""


class Tokens(Struct, frozen=True, kw_only=True):
    """What is kept for a portal; times in Unix seconds. Its text form shows no token.

    `endpoint` is where the portal's methods are, ending in a slash. `renewed_at` is when the
    refresh token was issued. `client_id` is the application that they were issued to, `server` the
    root of the authorization server that did; both are empty in what was kept before there could
    be several.
    """

    member_id: str
    endpoint: str
    user_id: int
    access_token: str
    expires_at: int
    refresh_token: str
    renewed_at: int
    client_id: str = ""
    server: str = ""

    def __repr__(self) -> str:
        return f"Tokens(member_id={self.member_id!r}, expires_at={self.expires_at}, …)"

    def is_due(self, now: float) -> bool:
        """Whether half the life of the refresh token is over, or nobody knows when it began.

        Tokens that come with events may do for all calls, so that no other reason to refresh ever
        arises before it expires.
        """
        is_known = is_believable(self.renewed_at, now_s=now)
        return not is_known or now - self.renewed_at > REFRESH_LIFE_S / 2


class EventToken(Struct, frozen=True, kw_only=True):
    """The access token that came with a verified event of this application, and whose it is."""

    user_id: int
    access_token: str
    expires_at: int

    def __repr__(self) -> str:
        return f"EventToken(user_id={self.user_id}, expires_at={self.expires_at}, …)"


def after_event(kept: Tokens, offered: EventToken) -> Tokens:
    """What to keep when an event brings a token: it takes the old one's place if it is newer.

    One of another user is left alone: an event carries the token of whoever caused it, who may see
    less than the user who installed the application.
    """
    is_newer = offered.expires_at > kept.expires_at
    if not offered.access_token or not is_newer or offered.user_id != kept.user_id:
        return kept
    return msgspec.structs.replace(
        kept, access_token=offered.access_token, expires_at=offered.expires_at
    )


def after_refresh(kept: Tokens, issued: Tokens) -> Tokens:
    """What to keep when the authorization server issued a pair: nothing empty replaces anything.

    Its access token is taken even if an event brought one that lasts longer: a refresh is asked
    for because what is kept was rejected.
    """
    return msgspec.structs.replace(
        kept,
        endpoint=issued.endpoint or kept.endpoint,
        user_id=issued.user_id or kept.user_id,
        access_token=issued.access_token or kept.access_token,
        expires_at=issued.expires_at or kept.expires_at,
        refresh_token=issued.refresh_token or kept.refresh_token,
        renewed_at=issued.renewed_at if issued.refresh_token else kept.renewed_at,
        client_id=issued.client_id or kept.client_id,
        server=issued.server or kept.server,
    )
