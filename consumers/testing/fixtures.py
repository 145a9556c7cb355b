"""Makes the fixtures; pytest finds them through `pytest_plugins = ["consumers.testing"]`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import pytest

from consumers.checking.event_delivery import Delivered, deliver_events
from consumers.runtime.consumer import Consumer
from consumers.runtime.entry import Event
from consumers.testing.temporary_gateway import TemporaryGateway
from gateway.errors import OperatorError
from gateway.local.redis_server import RedisServer, ServerBinary, find_server

__all__ = ["Deliver", "deliver", "temporary_gateway"]


class Deliver(Protocol):
    """What the fixture `deliver` is: `deliver_events`, to be awaited."""

    async def __call__(
        self,
        consumer: Consumer,
        events: Sequence[Event],
        *,
        is_replay: bool = False,
        timeout_s: float = 5.0,
    ) -> Delivered:
        """Run a consumer on a list of events without Redis."""
        ...


@pytest.fixture
def deliver() -> Deliver:
    """Runs a consumer on a list of events without Redis; see deliver_events."""
    return deliver_events


@pytest.fixture
def temporary_gateway(tmp_path: Path) -> Iterator[TemporaryGateway]:
    """A real server on a free port, with the gateway's streams on it."""
    server = RedisServer(_binary(), tmp_path / "redis")
    server.start()
    try:
        yield TemporaryGateway(server.url)
    finally:
        server.stop()


def _binary() -> ServerBinary:
    try:
        return find_server()
    except OperatorError:
        pytest.fail(
            "temporary_gateway starts a Redis of its own, and finds none: install "
            "bitrix24-event-gateway[testing], or put redis-server or valkey-server on PATH",
            pytrace=False,
        )
