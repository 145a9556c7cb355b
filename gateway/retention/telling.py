"""What retention says in logs and metrics."""

from collections.abc import Mapping
from math import nan
from typing import Any

import structlog
from msgspec import Struct

from gateway import metrics
from gateway.retention.losses import Removal
from gateway.retention.plan import Holder
from gateway.retention.stream_state import EntryId, StreamState, text_of

__all__ = ["Telling"]

log: Any = structlog.get_logger(__name__)


class Telling(Struct, frozen=True):
    """Tells about one partition of a stream, whose key is `key`."""

    stream: str
    partition: int
    key: str

    def measure(self, state: StreamState, *, now_ms: int) -> None:
        """Bring the gauges up to date."""
        metrics.STREAM_ENTRIES.labels(self.stream, self.partition).set(state.length)
        for group in state.groups:
            labels = (self.stream, self.partition, group.name)
            held, oldest = state.held(group), group.oldest_needed
            age_ms = 0 if oldest is None else max(0, now_ms - oldest[0])
            metrics.HELD_ENTRIES.labels(*labels).set(nan if held is None else held)
            metrics.HELD_SECONDS.labels(*labels).set(age_ms / 1000)

    def holder(self, holder: Holder) -> None:
        """A group has begun to hold the stream."""
        log.warning(
            "a group holds a stream: what it has not acknowledged is not removed",
            stream=self.key,
            group=holder.group,
            held_entries=holder.held,
            oldest_entry=text_of(holder.oldest),
            age_s=holder.age_ms // 1000,
            what_to_do="start it, delete it, or see [retention] non_holding_groups",
        )

    def trimmed(self, count: int, lost: Mapping[str, int], *, up_to: EntryId) -> None:
        """Retention removed entries, some of which groups that hold nothing had not read."""
        metrics.TRIMMED_ENTRIES.labels(self.stream, self.partition).inc(count)
        log.info("stream trimmed", stream=self.key, entries=count, up_to=text_of(up_to))
        for group, entries in lost.items():
            self._count_unread(group, "retention", entries)
            log.warning(
                "entries were removed that a group declared to hold nothing had not read",
                stream=self.key,
                group=group,
                entries=entries,
            )

    def removed_by_others(self, found: Removal, state: StreamState) -> None:
        """An error for each group that lost entries or may have, or a warning if there is none."""
        about: dict[str, Any] = {
            "stream": self.key,
            "removed": found.count,
            "first_entry": None if state.first is None else text_of(state.first),
        }
        if not found.losses:
            log.warning("somebody else removed entries, which all groups had read", **about)
        for loss in found.losses:
            if loss.at_least:
                self._count_unread(loss.group, "others", loss.at_least)
            log.error(
                "somebody else removed entries that a group had not read"
                if loss.at_least
                else "somebody else removed entries that a group may not have read",
                group=loss.group,
                at_least=loss.at_least,
                at_most=loss.at_most,
                **about,
            )

    def gone(self) -> None:
        """The stream is not there any more."""
        log.error("a stream is gone: somebody else deleted it", stream=self.key)

    def _count_unread(self, group: str, by: str, count: int) -> None:
        metrics.UNREAD_REMOVED_ENTRIES.labels(self.stream, self.partition, group, by).inc(count)
