"""Holds what looking for missed events needs, and says how far the streams can be relied on."""

import time
from collections.abc import Callable

from msgspec import Struct
from redis.asyncio import Redis

from gateway.bitrix24.client import PortalClient
from gateway.missed_events.comment_states import CommentStates
from gateway.missed_events.gap_book import GapBook
from gateway.missed_events.online_events import OnlineEvents
from gateway.missed_events.portals_without_queue import PortalsWithoutQueue
from gateway.publishing.publish_once import OncePublisher
from gateway.publishing.spool.reports import complete_until_ms, read_reports
from gateway.settings import Settings

__all__ = ["Dependencies"]


class Dependencies(Struct, frozen=True, kw_only=True):
    """What the duties share.

    `client_of` gives the client of a portal, `application_of` the one for the methods that only an
    application may call. While `holds_back` is true, nothing is published.
    """

    settings: Settings
    redis: Redis
    client_of: Callable[[str], PortalClient]
    application_of: Callable[[str], PortalClient]
    online_events: OnlineEvents
    publisher: OncePublisher
    gaps: GapBook
    refusals: PortalsWithoutQueue
    told: CommentStates
    holds_back: Callable[[], bool]

    async def settled_until(self) -> float:
        """What happened until then is on the streams, if it was delivered within [reconcile]
        settle_s (Unix seconds, our clock). Raises one of connections.FAILURES.
        """
        own = self.settings.reconcile
        reports, now_ms = await read_reports(self.redis, prefix=self.settings.redis.prefix)
        complete_ms = complete_until_ms(reports, now_ms=now_ms, patience_s=own.spool_patience_s)
        return time.time() - (now_ms - complete_ms) / 1000 - own.settle_s
