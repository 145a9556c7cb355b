"""Says how the feed's process is: whether it reads, and how far back it can serve."""

import time
from collections.abc import Collection

from prometheus_client import CollectorRegistry

from consumers.feed import metrics
from consumers.feed.recent_entries import RecentEntries
from consumers.feed.stream_tail import StreamTail
from consumers.runtime.outages import Outages
from gateway.background import Watch
from gateway.settings import ConsumersSettings

__all__ = ["FeedHealth"]


class FeedHealth:
    """Says what the probes are told of what `is_of` was given; nothing here asks the server.

    Redis being away is no reason for a restart. The process is not ready while it is, for then it
    has no pages; its streams go on.
    """

    def __init__(
        self,
        outages: Outages,
        watch: Watch,
        settings: ConsumersSettings,
    ) -> None:
        self._outages = outages
        self._watch = watch
        self._stuck_s = settings.stuck_s

    def is_of(self, tail: StreamTail, recent: RecentEntries) -> None:
        """Say from now on how these are."""
        self._tail = tail
        self._recent = recent

    async def why_not_alive(self) -> str | None:
        """None if the tail reads, or Redis is away."""
        reasons = []
        if self._tail.is_connected and time.monotonic() - self._tail.heard_at > self._stuck_s:
            reasons.append("the stream is not read, though Redis is there")
        return await self._with_background(reasons)

    async def why_not_ready(self) -> str | None:
        """None if pages are answered."""
        reasons = [*self._outages.denied(), *self._outages.lasting(0.0)]
        if not self._tail.is_connected:
            reasons.append("not all partitions are followed")
        return await self._with_background(reasons)

    @property
    def remarks(self) -> list[str]:
        """Nothing: nobody pauses the feed."""
        return []

    def observe(self) -> None:
        """Bring the gauges of this process up to date."""
        metrics.RECENT_BYTES.set(self._recent.bytes)
        for partition, place in enumerate(self._tail.oldest):
            metrics.OLDEST_SECONDS.labels(str(partition)).set(place.id.ms / 1000)

    def registry(self) -> CollectorRegistry:
        """Nothing: all metrics of the feed are in the default registry."""
        return CollectorRegistry()

    async def _with_background(self, reasons: Collection[str]) -> str | None:
        fallen = await self._watch.why_not_alive()
        return "\n".join([*reasons, *([fallen] if fallen else [])]) or None
