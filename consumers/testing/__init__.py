"""Testing a consumer: on a list of events without Redis, or on a real temporary server.

In a service's `conftest.py`: `pytest_plugins = ["consumers.testing"]`. The extra `testing` brings
what it needs: pytest, pytest-asyncio (with `asyncio_mode = "auto"`), and a server for the second
fixture.

    async def test_a_comment_is_indexed(deliver):
        event = comment_event(7, "added")
        result = await deliver(app, [event])
        assert result.handled == [event.id]
"""

from consumers.checking.event_delivery import Delivered, deliver_events
from consumers.testing.event_factories import app_event, comment_event, entity_event, portal_event
from consumers.testing.fixtures import Deliver, deliver, temporary_gateway
from consumers.testing.temporary_gateway import TemporaryGateway

__all__ = [
    "Deliver",
    "Delivered",
    "TemporaryGateway",
    "app_event",
    "comment_event",
    "deliver",
    "deliver_events",
    "entity_event",
    "portal_event",
    "temporary_gateway",
]
