"""The fixtures; pytest finds them through `pytest_plugins = ["consumers.testing"]`."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from consumers.testing.delivery import Delivered, deliver_events
from consumers.testing.server import TemporaryGateway
from gateway.local.server import RedisServer, find_server

__all__ = ["deliver", "temporary_gateway"]


@pytest.fixture
def deliver() -> Callable[..., Awaitable[Delivered]]:
    """Runs a consumer on a list of events without Redis; see deliver_events."""
    return deliver_events


@pytest.fixture
def temporary_gateway(tmp_path: Path) -> Iterator[TemporaryGateway]:
    """A real server on a free port, with the gateway's streams on it."""
    server = RedisServer(find_server(), tmp_path / "redis")
    server.start()
    try:
        yield TemporaryGateway(server.url)
    finally:
        server.stop()
