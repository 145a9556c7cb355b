"""Every metric of a consumer's process, in a registry of its own."""

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

from msgspec import Struct
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from consumers.runtime.entry import HeldEntry

__all__ = ["Durations", "Metrics", "Totals"]


class Totals(Struct, frozen=True):
    """What a process has been through with since its start."""

    handled: int = 0
    ignored: int = 0
    dead: int = 0
    failed_attempts: int = 0


class Metrics:
    """The metrics of one group in this process; the registry is what `/metrics` shows."""

    def __init__(self, group: str) -> None:
        self.registry = CollectorRegistry()
        self._group = group
        self._handled_count = self._ignored_count = self._dead_letter_count = 0
        self._failed_count = 0
        events = Counter(
            "b24_consumer_events_total",
            "Entries this process is through with, by result: handled, ignored (no handler for "
            "the type), dead (a dead letter), repeated (handled before, delivered again).",
            ("group", "result"),
            registry=self.registry,
        )
        self._handled = events.labels(group, "handled")
        self._ignored = events.labels(group, "ignored")
        self._dead = events.labels(group, "dead")
        self._repeated = events.labels(group, "repeated")
        self._handling = Durations(
            "b24_consumer_handling_seconds",
            "Time of one successful call of a handler, of an event or of a batch.",
            group,
        )
        self._age = Durations(
            "b24_consumer_event_age_seconds",
            "Time from the gateway's receipt of an event to its being handled; replays left out.",
            group,
        )
        self.registry.register(self._handling)
        self.registry.register(self._age)
        self._attempts = Counter(
            "b24_consumer_failed_attempts_total",
            "Calls of a handler that raised, by outcome: failed, transient, split, dead.",
            ("group", "outcome"),
            registry=self.registry,
        )
        self._dead_letters = Counter(
            "b24_consumer_dead_letters_total",
            "Dead letters made, by reason: undecodable, rejected, failed, crashed.",
            ("group", "reason"),
            registry=self.registry,
        )
        self._lost = Counter(
            "b24_consumer_entries_lost_total",
            "Entries that disappeared before they were handled: trimmed (or deleted) unread, or "
            "with their payload gone while they were pending. Alarm on any.",
            ("group", "cause"),
            registry=self.registry,
        )
        self._erased = Counter(
            "b24_consumer_entries_erased_total",
            "Entries that were erased on request before the group had read them.",
            ("group",),
            registry=self.registry,
        ).labels(group)
        self._read_errors = Counter(
            "b24_consumer_read_errors_total",
            "Reads that failed; the connection is made anew after a pause.",
            ("group",),
            registry=self.registry,
        ).labels(group)
        self._still_s = Counter(
            "b24_consumer_standstill_seconds_total",
            "Time in which the event loop stood still for a second or more, because something "
            "blocked it.",
            ("group",),
            registry=self.registry,
        ).labels(group)
        self._failing_s = Gauge(
            "b24_consumer_redis_failing_seconds",
            "For how long something that this process has to do on Redis (keep its leases, read, "
            "acknowledge, write, bury) has failed; 0: all of it works.",
            ("group",),
            registry=self.registry,
        ).labels(group)
        self._lag = self._gauge(
            "lag", "Entries on the stream that were not delivered to the group yet."
        )
        self._pending = self._gauge("pending", "Entries delivered and not acknowledged.")
        self._oldest = self._gauge(
            "oldest_pending_seconds", "Age of the oldest entry that is not acknowledged; 0: none."
        )
        self._dead_count = self._gauge(
            "dead_letters_waiting", "Dead letters that wait for an operator."
        )
        self._in_hand = self._gauge("in_hand", "Entries in the hands of this process.")
        self._paused = self._gauge(
            "paused", "1 while handling is paused because everything fails transiently."
        )
        self._epoch = self._gauge(
            "lease_epoch", "The epoch of this process's lease on the partition; 0: not the owner."
        )

    @property
    def totals(self) -> Totals:
        """The sums until now."""
        return Totals(
            self._handled_count, self._ignored_count, self._dead_letter_count, self._failed_count
        )

    def handled(self, batch: Sequence[HeldEntry], *, took_s: float) -> None:
        """Note a successful call of a handler."""
        self._handled_count += len(batch)
        self._handled.inc(len(batch))
        self._handling.observe(took_s)
        now = time.time()
        observe = self._age.observe
        for held in batch:
            entry = held.entry
            if not entry.is_replay:
                observe(max(0.0, now - entry.event.received_at.timestamp()))

    def ignored(self, count: int) -> None:
        """Note entries of types that no handler takes."""
        self._ignored_count += count
        self._ignored.inc(count)

    def repeated(self, count: int) -> None:
        """Note entries that were delivered again after they had been handled."""
        self._repeated.inc(count)

    def attempt_failed(self, outcome: str) -> None:
        """Note a call of a handler that raised."""
        self._failed_count += 1
        self._attempts.labels(self._group, outcome).inc()

    def buried(self, reason: str) -> None:
        """Note a dead letter."""
        self._dead_letter_count += 1
        self._dead.inc()
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

    def owns(self, partition: int, epoch: int) -> None:
        """Note a lease, or with epoch 0 its end."""
        self._epoch.labels(self._group, partition).set(epoch)
        if not epoch:
            # An alarm that nobody here can end any more must not stay.
            for gauge in (
                *(self._lag, self._pending, self._oldest, self._dead_count),
                *(self._in_hand, self._paused),
            ):
                gauge.remove_by_labels({"group": self._group, "partition": str(partition)})

    def stands(
        self, partition: int, *, lag: int | None, pending: int, oldest_s: float, dead: int
    ) -> None:
        """Note how the group stands on a partition."""
        self.lags(partition, lag)
        labels = (self._group, partition)
        self._pending.labels(*labels).set(pending)
        self._oldest.labels(*labels).set(oldest_s)
        self._dead_count.labels(*labels).set(dead)

    def lags(self, partition: int, lag: int | None) -> None:
        """Note how many entries the group has not been given yet; None: not known yet."""
        self._lag.labels(self._group, partition).set(float("nan") if lag is None else lag)

    def works(self, partition: int, *, in_hand: int, is_paused: bool) -> None:
        """Note how busy this process is with a partition."""
        self._in_hand.labels(self._group, partition).set(in_hand)
        self._paused.labels(self._group, partition).set(is_paused)

    def _gauge(self, name: str, meaning: str) -> Gauge:
        return Gauge(
            f"b24_consumer_{name}", meaning, ("group", "partition"), registry=self.registry
        )


_BOUNDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)


class Durations(Collector):
    """One histogram with the label `group`; to be used from the event loop's thread only."""

    def __init__(self, name: str, meaning: str, group: str) -> None:
        self._name = name
        self._meaning = meaning
        self._group = group
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Note one duration."""
        self._counts[bisect_left(_BOUNDS, seconds)] += 1
        self._sum_s += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the registry asks for when somebody looks."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=("group",))
        bounds = [*(str(bound) for bound in _BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        family.add_metric((self._group,), buckets, sum_value=self._sum_s)
        yield family
