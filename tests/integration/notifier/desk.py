"""The notifier without a process: a clock and senders that move only when a test says so."""

from typing import Any

from msgspec.structs import replace
from redis.asyncio import Redis

from consumers import Entry
from consumers.notifier.notice_handler import Notifier
from consumers.notifier.outbox import Outbox
from consumers.notifier.routes import routes_of
from gateway.contract import CommentEvent, Event, encode_event
from gateway.settings import NotifierSettings, PortalSettings, RouteSettings, Settings

MONDAY_10_30 = 1_767_609_000_000
"""2026-01-05 10:30 UTC, in milliseconds."""


class Desk:
    """A notifier on `redis` whose routes may lead to loopback."""

    def __init__(
        self,
        redis: Redis,
        *routes: dict[str, Any],
        now_ms: int = MONDAY_10_30,
        portals: tuple[PortalSettings, ...] = (),
        **settings: Any,
    ) -> None:
        self.now_ms = now_ms
        notifier = NotifierSettings(
            routes=tuple(RouteSettings(**route) for route in routes), allow_private=True, **settings
        )
        given = Settings(notifier=notifier, portals=portals)
        self.notifier = Notifier(given, routes_of(given), clock=lambda: self.now_ms)
        self.senders = self.notifier.connect(redis)

    @property
    def outboxes(self) -> list[Outbox]:
        return [sender.outbox for sender in self.senders]

    async def hear(self, event: Event, *, is_replay: bool = False) -> None:
        """Handle an event as the runtime has it handled."""
        await self.notifier.handle(
            event,
            Entry(
                stream="events",
                partition=0,
                epoch=1,
                id="1-0",
                event=event,
                raw=encode_event(event),
                is_replay=is_replay,
            ),
        )

    async def work(self, *, after_s: float = 0.0) -> None:
        """Let time pass, then let every sender do all that is due."""
        self.now_ms += round(after_s * 1000)
        for sender in self.senders:
            while await sender.round() == 0:
                await sender.finish()

    async def crash_sender(self, number: int = 0) -> None:
        """Forget the sender's tasks as a killed process does; their answers are lost."""
        await self.senders[number].abandon()


def with_text(event: CommentEvent, comment: Any) -> CommentEvent:
    """The event as it stands on `comments`."""
    return replace(event, data=replace(event.data, comment=comment))
