"""Counts what a consumer's process does, in a registry of its own."""

import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import astuple
from prometheus_client import CollectorRegistry, Counter, Gauge

from consumers.runtime.entry import HeldEntry
from consumers.runtime.loop_collectors import Durations, Results
from consumers.runtime.partition_gauges import PartitionGauges

__all__ = ["Metrics", "Totals"]

_moment = datetime.fromisoformat


class Totals(Struct, frozen=True):
    """What a process has been through with since its start."""

    handled: int = 0
    ignored: int = 0
    dead: int = 0
    failed_attempts: int = 0

    @classmethod
    def of_all(cls, some: Iterable["Totals"]) -> "Totals":
        """The sums of several groups."""
        return cls(*map(sum, zip(*map(astuple, some), strict=True)))


class Metrics:
    """Counts what one group does in this process; the registry is what `/metrics` shows."""

    def __init__(self, group: str) -> None:
        self.registry = CollectorRegistry()
        self.of_partitions = PartitionGauges(group, self.registry)
        self._group = group
        self._handled_count = self._ignored_count = self._dead_letter_count = 0
        self._repeated_count = self._failed_count = 0
        self.registry.register(
            Results(
                "b24_consumer_events_total",
                "Entries this process is through with, by result: handled, ignored (no handler for "
                "the type), dead (a dead letter), repeated (handled before, delivered again).",
                group,
                self._results,
            )
        )
        self._handling = self._durations(
            "handling_seconds",
            "Time of one successful call of a handler, of an event or of a batch.",
        )
        self._age = self._durations(
            "event_age_seconds",
            "Time from the gateway's receipt of an event to its being handled; replays left out.",
        )
        self._attempts = self._counter(
            "failed_attempts_total",
            "Calls of a handler that raised, by outcome: failed, transient, split, dead.",
            label="outcome",
            values=("failed", "transient", "split", "dead"),
        )
        self._dead_letters = self._counter(
            "dead_letters_total",
            "Dead letters made, by reason: undecodable, rejected, failed, crashed, struck.",
            label="reason",
            values=("undecodable", "rejected", "failed", "crashed"),
        )
        self._lost = self._counter(
            "entries_lost_total",
            "Entries that disappeared before they were handled: trimmed (or deleted) unread, or "
            "with their payload gone while they were pending. Alarm on any.",
            label="cause",
            values=("trimmed", "payload"),
        )
        self._of_the_process()

    def _of_the_process(self) -> None:
        """Make those that have no label but the group's."""
        self._erased = self._counter(
            "entries_erased_total",
            "Entries that were erased on request before the group had read them.",
        ).labels(self._group)
        self._read_errors = self._counter(
            "read_errors_total",
            "Reads that failed; the connection is made anew after a pause.",
        ).labels(self._group)
        self._still_s = self._counter(
            "standstill_seconds_total",
            "Time in which the event loop stood still for a second or more, because something "
            "blocked it.",
        ).labels(self._group)
        self._failing_s = Gauge(
            "b24_consumer_redis_failing_seconds",
            "For how long something that this process has to do on Redis (keep its leases, read, "
            "acknowledge, write, bury) has failed; 0: all of it works.",
            ("group",),
            registry=self.registry,
        ).labels(self._group)

    @property
    def totals(self) -> Totals:
        """The sums until now."""
        return Totals(
            self._handled_count, self._ignored_count, self._dead_letter_count, self._failed_count
        )

    def handled(self, batch: Sequence[HeldEntry], *, took_s: float) -> None:
        """Note a successful call of a handler."""
        self._handled_count += len(batch)
        self._handling.observe(took_s)
        now = time.time()
        ages_s = []
        for held in batch:
            entry = held.entry
            if not entry.is_replay:
                ages_s.append(now - _moment(entry.event.receivedat).timestamp())
        self._age.observe_all(ages_s)

    def ignored(self, count: int) -> None:
        """Note entries of types that no handler takes."""
        self._ignored_count += count

    def repeated(self, count: int) -> None:
        """Note entries that were delivered again after they had been handled."""
        self._repeated_count += count

    def attempt_failed(self, outcome: str) -> None:
        """Note a call of a handler that raised."""
        self._failed_count += 1
        self._attempts.labels(self._group, outcome).inc()

    def buried(self, reason: str) -> None:
        """Note a dead letter."""
        self._dead_letter_count += 1
        self._dead_letters.labels(self._group, reason).inc()

    def lost(self, cause: str, count: int) -> None:
        """Note entries that disappeared: `trimmed` or `payload`."""
        self._lost.labels(self._group, cause).inc(count)

    def erased(self, count: int) -> None:
        """Note entries that somebody asked to be erased, unread."""
        self._erased.inc(count)

    def read_failed(self) -> None:
        """Note a read that failed."""
        self._read_errors.inc()

    def stood_still(self, seconds: float) -> None:
        """Note that the event loop was blocked."""
        self._still_s.inc(seconds)

    def fails(self, seconds: float) -> None:
        """Note for how long something on Redis has failed."""
        self._failing_s.set(seconds)

    def _results(self) -> Mapping[str, int]:
        return {
            "handled": self._handled_count,
            "ignored": self._ignored_count,
            "dead": self._dead_letter_count,
            "repeated": self._repeated_count,
        }

    def _counter(
        self, name: str, meaning: str, *, label: str | None = None, values: Sequence[str] = ()
    ) -> Counter:
        """A counter that is shown at 0 for each of these values of its label."""
        labels = ("group",) if label is None else ("group", label)
        counter = Counter(f"b24_consumer_{name}", meaning, labels, registry=self.registry)
        for value in values:
            counter.labels(self._group, value)
        return counter

    def _durations(self, name: str, meaning: str) -> Durations:
        durations = Durations(f"b24_consumer_{name}", meaning, self._group)
        self.registry.register(durations)
        return durations
