"""A portal that has installed the application, and gateways that call it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from cryptography.fernet import Fernet

from gateway.bitrix24.connecting import Bitrix24, connect
from gateway.settings import Bitrix24 as Application
from gateway.settings import PortalSettings, Settings, Vault
from gateway.settings import Redis as RedisSettings
from tests.integration.bitrix24.stand_in import CLIENT_ID, CLIENT_SECRET, MEMBER_ID, Portal

type_of_connect = Callable[..., AbstractAsyncContextManager[Bitrix24]]


@pytest.fixture
async def portal() -> AsyncIterator[Portal]:
    async with Portal() as one:
        yield one


@pytest.fixture(scope="session")
def keys() -> tuple[str, ...]:
    return (Fernet.generate_key().decode(),)


@pytest.fixture
def connected(redis_url: str, portal: Portal, keys: tuple[str, ...]) -> type_of_connect:
    """A gateway's process, as far as it calls portals; arguments are settings of [bitrix24]."""

    def connected(
        *,
        at: str = redis_url,
        webhook: str = "",
        vault_keys: tuple[str, ...] = keys,
        **changes: Any,
    ) -> AbstractAsyncContextManager[Bitrix24]:
        options: dict[str, Any] = {
            "authorization_server": portal.root,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "requests_per_s": portal.requests_per_s,
            "burst": portal.burst,
            "request_timeout_s": 5.0,
            "call_timeout_s": 20.0,
        }
        portals = PortalSettings(
            member_id=MEMBER_ID,
            domain="acme.example",
            application_tokens=("fake",),
            rest_webhook=webhook,
        )
        return connect(
            Settings(
                redis=RedisSettings(url=at),
                vault=Vault(keys=vault_keys),
                bitrix24=Application(**options | changes),
                portals=(portals,) if webhook else (),
            )
        )

    return connected


@pytest.fixture
async def gateway(connected: type_of_connect, portal: Portal) -> AsyncIterator[Bitrix24]:
    """A gateway that the portal has installed."""
    async with connected() as one:
        assert one.tokens is not None
        await one.tokens.install(portal.tokens())
        yield one
