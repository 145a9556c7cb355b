"""Finds by which right a portal is called: an application's tokens, or an inbound webhook's URL."""

from typing import Protocol

from msgspec import Struct

from gateway.bitrix24.endpoints import endpoint_of, webhook_code
from gateway.bitrix24.errors import Unauthorized
from gateway.bitrix24.refreshing import Refresher
from gateway.bitrix24.tokens import Tokens

__all__ = ["Access", "AccessGrant", "OAuthAccess", "TokenAccess", "WebhookAccess"]


class AccessGrant(Struct, frozen=True, kw_only=True):
    """Where to send a call, and the token to send with it, if any. Its text form shows neither."""

    endpoint: str
    token: str
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return "AccessGrant(…)"


class Access(Protocol):
    """Both rights, to the client."""

    async def grant(self) -> AccessGrant:
        """What to call with; raises Bitrix24Error if there is nothing."""

    async def renewed(self, rejected: AccessGrant) -> AccessGrant:
        """What to call with after the portal rejected this; raises Bitrix24Error."""

    async def relocated(self, left: AccessGrant) -> AccessGrant | None:
        """What to call with after the portal is no longer where this says; None if unknown.

        Raises Bitrix24Error.
        """


class OAuthAccess:
    """Calls by the right of the application that is installed in a portal."""

    def __init__(self, member_id: str, refresher: Refresher) -> None:
        self._member_id = member_id
        self._refresher = refresher

    async def grant(self) -> AccessGrant:
        """The stored access token, even if it seems to have expired: the portal's clock decides."""
        return _grant(await self._refresher.current(self._member_id))

    async def renewed(self, rejected: AccessGrant) -> AccessGrant:
        """Another token; the authorization server is asked if nobody else has yet."""
        tokens = await self._refresher.current(self._member_id)
        if tokens.access_token == rejected.token:
            tokens = await self._refresher.fresh(tokens)
        return _grant(tokens)

    async def relocated(self, left: AccessGrant) -> AccessGrant | None:
        """The address that comes with new tokens: the authorization server knows the true one.

        It is not asked again and again, should it know of no other either.
        """
        tokens = await self._refresher.current(self._member_id)
        if tokens.endpoint == left.endpoint and self._refresher.is_worth_asking(tokens):
            tokens = await self._refresher.fresh(tokens)
        return None if tokens.endpoint == left.endpoint else _grant(tokens)


class TokenAccess:
    """Calls by the right of whoever holds these tokens, which are not stored (yet)."""

    def __init__(self, tokens: Tokens) -> None:
        self._grant = _grant(tokens)

    async def grant(self) -> AccessGrant:
        """Always the same."""
        return self._grant

    async def renewed(self, rejected: AccessGrant) -> AccessGrant:  # noqa: ARG002 - the protocol's signature
        """Raises Unauthorized: only stored tokens are refreshed."""
        raise Unauthorized("the portal rejects the token")

    async def relocated(self, left: AccessGrant) -> AccessGrant | None:  # noqa: ARG002
        """None: only the authorization server's word counts."""
        return None


class WebhookAccess:
    """Calls by the right of the user who made an inbound webhook in the portal.

    https://apidocs.bitrix24.com/local-integrations/local-webhooks.html
    """

    def __init__(self, url: str) -> None:
        """`https://<portal>/rest/<user>/<code>/`; raises ValueError, without it, for others."""
        endpoint = endpoint_of(url)
        self._grant = AccessGrant(endpoint=endpoint, token="", secrets=(webhook_code(endpoint),))

    async def grant(self) -> AccessGrant:
        """Always the same."""
        return self._grant

    async def renewed(self, rejected: AccessGrant) -> AccessGrant:  # noqa: ARG002 - the protocol's signature
        """Raises Unauthorized: there is no other."""
        raise Unauthorized("the portal rejects the inbound webhook")

    async def relocated(self, left: AccessGrant) -> AccessGrant | None:  # noqa: ARG002
        """None: the settings have to name another."""
        return None


def _grant(tokens: Tokens) -> AccessGrant:
    return AccessGrant(
        endpoint=tokens.endpoint,
        token=tokens.access_token,
        secrets=(tokens.access_token, tokens.refresh_token),
    )
