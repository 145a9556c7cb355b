"""A portal, a gateway, and all whom it tells."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.local.redis_server import RedisServer, ServerBinary
from gateway.sandbox.assembly import Sandbox, open_sandbox
from gateway.sandbox.live_portal import LivePortal
from tests.integration.every_service.installation import Installation
from tests.integration.every_service.php_receiver import SECRET, PhpReceiver
from tests.integration.every_service.stream_reader import StreamReader, reading
from tests.integration.notifier.sinks import HttpSink, http_sink
from tests.support.postgres import PostgresServer
from tests.support.redis_users import acl_file_in
from tests.support.stage import SAFE


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with open_sandbox() as one:
        yield one


@pytest.fixture
async def sink() -> AsyncIterator[HttpSink]:
    """Who is notified."""
    async with http_sink() as one:
        yield one


@pytest.fixture
async def php(tmp_path: Path) -> AsyncIterator[PhpReceiver]:
    """Who is pushed to."""
    if shutil.which("php") is None:
        pytest.skip("no php on this machine")
    with PhpReceiver(tmp_path) as one:
        await one.start()
        yield one


@pytest.fixture
def database(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def ask(postgres: PostgresServer, database: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Asks the warehouse."""
    return postgres.asking(database)


@pytest.fixture
def own_server(server_binary: ServerBinary, tmp_path: Path) -> Iterator[RedisServer]:
    """A server that has the users of the file, and forgets nothing when it is killed."""
    options = (*SAFE, "--aclfile", str(acl_file_in(tmp_path)))
    server = RedisServer(server_binary, tmp_path / "redis", append_only=True, options=options)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def installation(
    sandbox: Sandbox,
    own_server: RedisServer,
    tmp_path: Path,
    sink: HttpSink,
    php: PhpReceiver,
    postgres: PostgresServer,
    database: str,
) -> AsyncIterator[Installation]:
    one = Installation(
        sandbox,
        own_server,
        tmp_path,
        warehouse_url=postgres.url(database),
        notification_url=sink.url,
        push_url=php.url,
        push_secret=SECRET,
    )
    try:
        one.start()
        await one.until_ready()
        yield one
        assert await one.refusals() == []
    finally:
        one.close()


@pytest.fixture
async def portal(sandbox: Sandbox, installation: Installation) -> LivePortal:
    """A portal without limits that has the application, and tells of everything that is taken."""
    one = await sandbox.add_portal(requests_per_s=1000.0, burst=1000.0)
    await installation.add_to(one)
    return one


@pytest.fixture
async def reader(installation: Installation) -> AsyncIterator[StreamReader]:
    """Who follows the feed."""
    async with reading(installation.settings.feed.port) as one:
        yield one
