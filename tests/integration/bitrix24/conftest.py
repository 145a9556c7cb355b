"""A portal of the sandbox that has installed the application, and gateways that call it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from aiohttp import web
from cryptography.fernet import Fernet

from gateway.bitrix24.connecting import Bitrix24, connect
from gateway.bitrix24.tokens import Tokens
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.faults import Mood
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import (
    Bitrix24Settings,
    PortalSettings,
    RedisSettings,
    Settings,
    VaultSettings,
)

type_of_connect = Callable[..., AbstractAsyncContextManager[Bitrix24]]

MEMBER_ID = "010b6886ebc205e43ae65000ee00addb"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as one:
        yield one


@pytest.fixture
async def portal(sandbox: Sandbox) -> LivePortal:
    one = await sandbox.add_portal(member_id=MEMBER_ID, requests_per_s=1000, burst=1000)
    await one.install(None)
    return one


@pytest.fixture(scope="session")
def keys() -> tuple[str, ...]:
    return (Fernet.generate_key().decode(),)


@pytest.fixture
def connected(redis_url: str, sandbox: Sandbox, keys: tuple[str, ...]) -> type_of_connect:
    """A gateway's process, as far as it calls portals; arguments are settings of [bitrix24]."""

    def connected(
        *,
        at: str = redis_url,
        webhook: str = "",
        vault_keys: tuple[str, ...] = keys,
        **changes: Any,
    ) -> AbstractAsyncContextManager[Bitrix24]:
        options: dict[str, Any] = {
            "authorization_server": sandbox.authorization_url,
            "client_id": sandbox.application.client_id,
            "client_secret": sandbox.application.client_secret,
            "requests_per_s": 1000.0,
            "burst": 1000,
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
                vault=VaultSettings(keys=vault_keys),
                bitrix24=Bitrix24Settings(**options | changes),
                portals=(portals,) if webhook else (),
            )
        )

    return connected


@pytest.fixture
async def gateway(connected: type_of_connect, portal: LivePortal) -> AsyncIterator[Bitrix24]:
    """A gateway that the portal has installed."""
    async with connected() as one:
        assert one.tokens is not None
        await one.tokens.install(tokens_of(portal))
        yield one


def tokens_of(portal: LivePortal, **changes: Any) -> Tokens:
    """What a gateway has of a portal after an installation: a new pair each time."""
    opened = portal.open_page().form
    now = int(time.time())
    fields: dict[str, Any] = {
        "member_id": portal.member_id,
        "endpoint": portal.endpoint,
        "user_id": 1,
        "access_token": opened["AUTH_ID"],
        "expires_at": now + 3600,
        "refresh_token": opened["REFRESH_ID"],
        "renewed_at": now,
    }
    return Tokens(**fields | changes)


def methods_called(portal: LivePortal) -> list[str]:
    return [call.method for call in portal.calls]


def refusal(status: int, code: str, description: str, **more: Any) -> web.Response:
    return web.json_response(
        {"error": code, "error_description": description, **more}, status=status
    )


def once(answer: Callable[[], web.StreamResponse]) -> Mood:
    """A mood that passes after one request."""
    left = [answer]

    async def mood(_request: web.Request, _parameters: Any) -> web.StreamResponse | None:
        return left.pop()() if left else None

    return mood


def always(answer: Callable[[], web.StreamResponse]) -> Mood:
    async def mood(_request: web.Request, _parameters: Any) -> web.StreamResponse | None:
        return answer()

    return mood
