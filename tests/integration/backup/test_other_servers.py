"""A backup of one make of server is put back on another, whose dumps it would not take."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.local.redis_server import RedisServer
from gateway.redis_access import connections
from tests.integration.backup.conftest import Call
from tests.integration.backup.keys import SETTINGS, contents, fill, without_gone
from tests.support.server_matrix import NotHere, server_named


@contextmanager
def started(name: str, directory: Path) -> Iterator[RedisServer]:
    """A server of this make."""
    try:
        server = RedisServer(server_named(name), directory / name.replace(" ", "-"))
    except NotHere as reason:
        pytest.skip(f"not available here: {reason}")
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("source", "target"), [("Redis 8.2", "Valkey 9.1"), ("Valkey 9.1", "Redis 8.2")]
)
async def test_another_make_takes_it(source: str, target: str, call: Call, tmp_path: Path) -> None:
    with started(source, tmp_path) as one, started(target, tmp_path) as other:
        async with connections.control(one.url) as here, connections.control(other.url) as there:
            await fill(here, entries=100)
            taken = await call(one.url, "backup", "kept", **SETTINGS)
            done = await call(other.url, "restore", "kept", **SETTINGS)

            assert (taken.returncode, done.returncode) == (0, 0), taken.stderr + done.stderr
            assert await contents(there) == without_gone(await contents(here))
