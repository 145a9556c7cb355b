"""Says in logs and metrics what retention found and did."""

from collections.abc import Iterable, Mapping
from math import nan
from typing import Any

import structlog
from msgspec import Struct

from gateway import metrics
from gateway.contract import EntryId
from gateway.metric_series import end_series
from gateway.retention.losses import Removal
from gateway.retention.stream_state import StreamState
from gateway.retention.trim_plan import Holder

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

    def end(self, groups: Iterable[str], *, has_stream: bool = True) -> None:
        """Show no more of groups that are gone, nor of the stream if it is."""
        for group in groups:
            for gauge in (metrics.HELD_ENTRIES, metrics.HELD_SECONDS):
                end_series(gauge, self.stream, self.partition, group)
        if not has_stream:
            end_series(metrics.STREAM_ENTRIES, self.stream, self.partition)

    def holder(self, holder: Holder) -> None:
        """A group has begun to hold the stream."""
        log.warning(
            "a group holds a stream: what it has not acknowledged is not removed",
            stream=self.key,
            group=holder.group,
            held_entries=holder.held,
            oldest_entry=str(holder.oldest),
            age_s=holder.age_ms // 1000,
            what_to_do="start it, resume it, remove it, or see [retention] non_holding_groups",
        )

    def trimmed(self, count: int, lost: Mapping[str, int], *, up_to: EntryId) -> None:
        """Retention removed entries, some of which groups that hold nothing had not read."""
        metrics.TRIMMED_ENTRIES.labels(self.stream, self.partition).inc(count)
        log.info("stream trimmed", stream=self.key, entries=count, up_to=str(up_to))
        self._lost(lost)

    def trimmed_early(self, count: int, lost: Mapping[str, int]) -> None:
        """Retention removed entries before their time; as `trimmed` does, but for the line."""
        metrics.TRIMMED_ENTRIES.labels(self.stream, self.partition).inc(count)
        metrics.TRIMMED_EARLY_ENTRIES.labels(self.stream, self.partition).inc(count)
        self._lost(lost)

    def shortened(self, state: StreamState, *, now_ms: int) -> None:
        """Entries begin to go before their time."""
        log.warning(
            "redis is short of memory: events that every group has handled go before their "
            "[retention] days are over",
            stream=self.key,
            entries_left=state.length,
            oldest_age_s=max(0, now_ms - state.begins_at.ms) // 1000,
            what_to_do="give Redis more memory, or ask for fewer days; docs/retention.md",
        )

    def whole_again(self) -> None:
        """Entries stay for their time again."""
        log.info("events stay for their [retention] days again", stream=self.key)

    def fills(self, group: str, held: int | None) -> None:
        """What a group has not acknowledged is what Redis is full of; "" if no group reads."""
        if not group:
            log.warning(
                "redis is short of memory, and no group reads a stream: nothing of it is removed",
                stream=self.key,
                entries=held,
                what_to_do="start a consumer, or delete the stream",
            )
            return
        log.warning(
            "redis is short of memory, and a group holds what it has not acknowledged",
            stream=self.key,
            group=group,
            held_entries=held,
            what_to_do="start it, resume it, remove it, or see [retention] non_holding_groups",
        )

    def removed_by_others(self, found: Removal, state: StreamState) -> None:
        """An error for each group that lost entries or may have, or a warning if there is none."""
        about: dict[str, Any] = {
            "stream": self.key,
            "removed": found.count,
            "first_entry": None if state.first is None else str(state.first),
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

    def _lost(self, lost: Mapping[str, int]) -> None:
        for group, entries in lost.items():
            self._count_unread(group, "retention", entries)
            log.warning(
                "entries were removed that a group declared to hold nothing had not read",
                stream=self.key,
                group=group,
                entries=entries,
            )
