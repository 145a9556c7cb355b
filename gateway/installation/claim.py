"""Reads what somebody says who installs the application: an event, or a page that a portal opens.

Nothing of it is to be believed before the authorization server has confirmed it
(gateway.installation.confirmation), and no address in it is ever called. No I/O.

https://apidocs.bitrix24.com/api-reference/common/events/on-app-install.html
https://apidocs.bitrix24.com/settings/oauth/simple-way.html
"""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from gateway.inbound.selection import Selection
from gateway.installation.errors import NotConfirmed
from gateway.php_numbers import integer_of

__all__ = ["Claim", "claim_of_event", "claim_of_page"]

_MEMBER_ID: Final = re.compile(r"[0-9A-Za-z_.-]{1,64}")
# As gateway.portals.registry takes one.
_IN_EVENT: Final = Selection(
    access_token="auth[access_token]",  # noqa: S106 - where it stands, here and below
    refresh_token="auth[refresh_token]",  # noqa: S106
    application_token="auth[application_token]",  # noqa: S106
    life_s="auth[expires_in]",
    member_id="auth[member_id]",
    user_id="auth[user_id]",
    endpoint="auth[client_endpoint]",
    server="auth[server_endpoint]",
)
_IN_PAGE: Final = Selection(
    access_token="AUTH_ID",  # noqa: S106
    refresh_token="REFRESH_ID",  # noqa: S106
    application_token="APPLICATION_TOKEN",  # noqa: S106
    life_s="AUTH_EXPIRES",
    member_id="member_id",
    user_id="user_id",
    endpoint="client_endpoint",
    server="SERVER_ENDPOINT",
)
_TOKEN: Final = re.compile(r"[!-~]{1,512}")
_LIFE_S: Final = 3600
# How long an access token is good, and so the longest that is believed.


class Claim(Struct, frozen=True, kw_only=True):
    """An installation that is claimed; its text form shows no token.

    `application_token` is empty where a page does not tell it, `user_id` 0, `endpoint` and `server`
    (the authorization server's) empty where nobody does. `expires_at` is in Unix seconds.
    """

    member_id: str
    access_token: str
    refresh_token: str
    application_token: str
    expires_at: int
    user_id: int = 0
    endpoint: str = ""
    server: str = ""

    def __repr__(self) -> str:
        return f"Claim(member_id={self.member_id!r}, …)"


def claim_of_event(body: bytes, *, received_s: int) -> Claim:
    """What the body of ONAPPINSTALL says; `received_s` is Unix time.

    Raises NotConfirmed if something is missing that a genuine one has, FormError.
    """
    fields = _IN_EVENT.read(body)
    if not _TOKEN.fullmatch(fields.get("application_token", "")):
        raise NotConfirmed("no_application_token")
    return _claim(fields, received_s=received_s)


def claim_of_page(body: bytes, *, received_s: int) -> Claim:
    """What a portal posts that opens a page of the application; `received_s` is Unix time.

    Portals tell the application token from some version on. Raises NotConfirmed, FormError.
    """
    return _claim(_IN_PAGE.read(body), received_s=received_s)


def _claim(fields: Mapping[str, str], *, received_s: int) -> Claim:
    member_id, access_token, refresh_token, application_token = (
        fields.get(name, "")
        for name in ("member_id", "access_token", "refresh_token", "application_token")
    )
    if not _MEMBER_ID.fullmatch(member_id):
        raise NotConfirmed("no_member_id")
    if not _TOKEN.fullmatch(access_token):
        raise NotConfirmed("no_access_token")
    if not _TOKEN.fullmatch(refresh_token):
        raise NotConfirmed("no_refresh_token")
    return Claim(
        member_id=member_id,
        access_token=access_token,
        refresh_token=refresh_token,
        application_token=application_token if _TOKEN.fullmatch(application_token) else "",
        expires_at=received_s + min(integer_of(fields.get("life_s")) or _LIFE_S, _LIFE_S),
        user_id=integer_of(fields.get("user_id")) or 0,
        endpoint=fields.get("endpoint", ""),
        server=fields.get("server", ""),
    )
