"""Makes everything that calls to portals need out of the settings, and closes it at the end."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from gateway.bitrix24.access import Access, OAuthAccess, TokenAccess, WebhookAccess
from gateway.bitrix24.applications import Applications
from gateway.bitrix24.authorization import AuthorizationServer
from gateway.bitrix24.client import PortalClient
from gateway.bitrix24.errors import NoCredentials
from gateway.bitrix24.limiter import Limiter
from gateway.bitrix24.refreshing import Refresher
from gateway.bitrix24.token_store import TokenStore
from gateway.bitrix24.tokens import Tokens
from gateway.bitrix24.transport import Transport, open_transport
from gateway.redis_access import connections
from gateway.settings import (
    ApplicationSettings,
    Bitrix24Settings,
    Settings,
    SettingsError,
    resolve_secret,
)
from gateway.vault.encryption import Vault

__all__ = ["Bitrix24", "connect"]


_MAX_AUTHORIZATION_BYTES: Final = 1 << 16
# Its answers take about 1 KiB.


class Bitrix24:
    """Gives the clients of all portals; where the settings name no application, `tokens` is None
    and there are no `applications`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: Transport,
        limiter: Limiter,
        tokens: TokenStore | None,
        applications: Applications,
        refresher: Refresher | None,
        webhooks: dict[str, WebhookAccess],
    ) -> None:
        self._settings = settings.bitrix24
        self._transport = transport
        self._limiter = limiter
        self._refresher = refresher
        self._webhooks = webhooks
        self.tokens = tokens
        self.applications = applications

    def portal(self, member_id: str) -> PortalClient:
        """The client of a portal: by its inbound webhook if the settings have one, else by OAuth.

        Raises NoCredentials if the settings have neither a webhook nor an application.
        """
        webhook = self._webhooks.get(member_id)
        return self.application(member_id) if webhook is None else self._client(member_id, webhook)

    def application(self, member_id: str) -> PortalClient:
        """The client of a portal by OAuth, for methods that are an application's own.

        Raises NoCredentials if the settings have no application.
        """
        if self._refresher is None:
            raise NoCredentials("no rest_webhook of this portal, and no [bitrix24] client_id")
        return self._client(member_id, OAuthAccess(member_id, self._refresher))

    def holder(self, tokens: Tokens) -> PortalClient:
        """The client of a portal by tokens that are not stored; they are not refreshed."""
        return self._client(tokens.member_id, TokenAccess(tokens))

    def _client(self, member_id: str, access: Access) -> PortalClient:
        return PortalClient(
            member_id,
            access,
            transport=self._transport,
            limiter=self._limiter,
            call_timeout_s=self._settings.call_timeout_s,
        )


@asynccontextmanager
async def connect(settings: Settings) -> AsyncIterator[Bitrix24]:
    """The portals as the settings have them.

    Raises OperatorError for secrets that are missing or wrong. Nothing is connected before the
    first call.
    """
    rest = settings.bitrix24
    webhooks = _webhooks(settings)
    async with AsyncExitStack() as stack:
        redis = connections.control(settings.redis.url)
        stack.push_async_callback(redis.aclose)
        transport = await stack.enter_async_context(
            open_transport(timeout_s=rest.request_timeout_s, max_answer_bytes=rest.max_answer_bytes)
        )
        limiter = Limiter(
            redis,
            prefix=settings.redis.prefix,
            requests_per_s=rest.requests_per_s,
            burst=rest.burst,
            longest_wait_s=rest.call_timeout_s,
        )
        applications, tokens, refresher = Applications(()), None, None
        if rest.listed:
            tokens = TokenStore(redis, _vault(settings), prefix=settings.redis.prefix)
            to_servers = await stack.enter_async_context(
                open_transport(
                    timeout_s=rest.request_timeout_s, max_answer_bytes=_MAX_AUTHORIZATION_BYTES
                )
            )
            applications = Applications(
                [_authorization_server(one, rest, to_servers) for one in rest.listed]
            )
            refresher = Refresher(
                tokens,
                applications,
                # A refresh takes one request; the rest is for writing down what came of it.
                lock_life_s=rest.request_timeout_s + 10.0,
            )
            stack.push_async_callback(refresher.close)
        yield Bitrix24(
            settings,
            transport=transport,
            limiter=limiter,
            tokens=tokens,
            applications=applications,
            refresher=refresher,
            webhooks=webhooks,
        )


def _authorization_server(
    one: ApplicationSettings, rest: Bitrix24Settings, transport: Transport
) -> AuthorizationServer:
    is_alone = one not in rest.applications
    where = "[bitrix24]" if is_alone else f"[[bitrix24.applications]] {one.client_id}"
    secret = resolve_secret(one.client_secret, name=f"{where} client_secret")
    try:
        return AuthorizationServer(
            transport,
            url=one.authorization_server,
            client_id=one.client_id,
            client_secret=secret,
        )
    except ValueError:
        raise SettingsError(f"{where} authorization_server: not the root of a server") from None


def _vault(settings: Settings) -> Vault:
    vault = Vault.of(settings.vault)
    if vault is None:
        raise SettingsError("[vault] keys: [bitrix24] has an application, whose tokens need one")
    return vault


def _webhooks(settings: Settings) -> dict[str, WebhookAccess]:
    found = {}
    for portal in settings.portals:
        if portal.rest_webhook:
            name = f"[[portals]] {portal.member_id} rest_webhook"
            url = resolve_secret(portal.rest_webhook, name=name)
            try:
                found[portal.member_id] = WebhookAccess(url)
            except ValueError as error:
                raise SettingsError(f"{name}: {error}") from None
    return found
