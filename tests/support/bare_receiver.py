"""The public port's handler by itself: what it stores goes to the test, and no Redis is asked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission
from gateway.installation.assembly import open_application
from gateway.portals.directory import Directory
from gateway.portals.following import Follower
from gateway.portals.registry import Registry
from gateway.redis_access import connections
from gateway.settings import HttpSettings, Settings, SpoolSettings
from gateway.web.app_events import AppEvents, EventSink
from gateway.web.protection.guard import Guard, guard_of
from gateway.web.receiver import Receiver
from gateway.web.unavailability import Unavailability

__all__ = ["bare_receiver"]


@asynccontextmanager
async def bare_receiver(
    directory: Directory,
    sink: EventSink,
    http: HttpSettings,
    *,
    spool_dir: Path,
    counts: dict[str, int] | None = None,
    guard: Guard | None = None,
    subscription: EventSubscription | None = None,
) -> AsyncIterator[Receiver]:
    """A receiver of these portals' events, without an application of its own in the settings.

    It counts the events of each portal in `counts`; without a `guard` it has that of
    `http`, and without a `subscription` it takes the usual events.
    """
    settings = Settings(http=http, spool=SpoolSettings(dir=str(spool_dir)))
    control = connections.control("redis://127.0.0.1:1/0", timeout_s=0.1)  # never connected
    follower = Follower(directory, Registry(control, prefix=settings.redis.prefix))
    counts = {} if counts is None else counts
    streams = settings.redis.streams
    async with open_application(settings, control, follower) as application:
        yield Receiver(
            Admission(directory, subscription or EventSubscription()),
            sink,
            streams,
            http,
            app_events=AppEvents(
                sink,
                streams,
                lifecycle=application.lifecycle,
                signals=application.signals,
                counts=counts,
            ),
            event_tokens=None,
            guard=guard or guard_of(http),
            page=None,
            quarantine=None,
            counts=counts,
            unavailability=Unavailability(),
        )
    await control.aclose()
