"""A second server, into which backups are put back, and the commands as an operator calls them."""

import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.redis_access import connections
from tests.support.program import surroundings
from tests.support.starting import finished

Call = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


@pytest.fixture
def other_server(server_binary: ServerBinary, tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(server_binary, tmp_path / "other-redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def other(other_server: RedisServer) -> AsyncIterator[Redis]:
    """A client of the second server."""
    client = connections.control(other_server.url)
    yield client
    await client.aclose()


@pytest.fixture
def call(tmp_path: Path) -> Call:
    """`gateway …` on a server, with further settings; nothing else of an installation is there."""

    async def call(url: str, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        own = {"REDIS_URL": url, "SPOOL_DIR": "no-spool", "AUDIT_DIR": "no-audit"} | settings
        return await finished(
            (sys.executable, "-m", "gateway", *words),
            directory=tmp_path,
            environment=surroundings() | {f"GATEWAY_{name}": one for name, one in own.items()},
        )

    return call
