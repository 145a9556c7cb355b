"""A sandbox, and a gateway whose application its portals install."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from gateway.local.redis_server import free_port
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from gateway.settings import Settings
from tests.integration.installation.running import Gateway, open_gateway, settings_for


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as one:
        yield one


@pytest.fixture
async def portal(sandbox: Sandbox) -> LivePortal:
    return await sandbox.add_portal()


@pytest.fixture(scope="session")
def key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def port() -> int:
    """Where the gateway listens, so that it can be named in its settings."""
    return free_port()


@pytest.fixture
def settings(sandbox: Sandbox, redis_url: str, tmp_path: Path, key: str, port: int) -> Settings:
    return settings_for(
        sandbox,
        redis_url=redis_url,
        spool_dir=tmp_path / "spool",
        key=key,
        public_url=f"http://127.0.0.1:{port}",
    )


@pytest.fixture
async def gateway(settings: Settings, port: int) -> AsyncIterator[Gateway]:
    async with open_gateway(settings, port=port) as one:
        yield one
