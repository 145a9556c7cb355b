"""Makes what Bitrix24 sends to an application's page when somebody opens it in the portal.

https://apidocs.bitrix24.com/settings/oauth/simple-way.html
"""

import secrets
from typing import NamedTuple
from urllib.parse import urlsplit

from gateway.sandbox.grants import ACCESS_LIFE_S
from gateway.sandbox.portal import PortalIdentity

__all__ = ["PageOpened", "page_opened"]


class PageOpened(NamedTuple):
    """A POST to the page: what stands in the query, and what in the form."""

    query: dict[str, str]
    form: dict[str, str]


def page_opened(portal: PortalIdentity, *, language: str = "en") -> PageOpened:
    """The request for a user whose tokens are the portal's, and who reads it in a language."""
    return PageOpened(
        query={
            "DOMAIN": portal.domain,
            "PROTOCOL": str(int(urlsplit(portal.client_endpoint).scheme == "https")),
            "LANG": language,
            "APP_SID": secrets.token_hex(16),
        },
        form={
            "AUTH_ID": portal.access_token,
            "AUTH_EXPIRES": str(ACCESS_LIFE_S),
            "REFRESH_ID": portal.refresh_token,
            "SERVER_ENDPOINT": portal.server_endpoint,
            "APPLICATION_TOKEN": portal.application_token,
            "APPLICATION_SCOPE": portal.scope,
            "member_id": portal.member_id,
            "status": portal.status,
            "PLACEMENT": "DEFAULT",
        },
    )
