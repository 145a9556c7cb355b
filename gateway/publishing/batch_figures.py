"""Counts what was stored, and how long that took, at little cost to an event that comes alone."""

import asyncio
from itertools import pairwise
from time import perf_counter
from typing import Final

from gateway import metrics
from gateway.balance.ledger import Ledger
from gateway.publishing.batch import Batch, Stored

__all__ = ["BatchFigures", "answers_until_now"]

_LATER_S: Final = 0.5
_AT_ONCE: Final = 256
# Bounds what is noted between two looks.


class BatchFigures:
    """Counts events at once, in the ledger too, and observes times and sizes of batches later.

    That is half a second: then many are observed one after the other, which costs a fifth of what
    each costs by itself, when the processor has other work in its caches.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._on_stream = metrics.STORED_EVENTS.labels(Stored.STREAM)
        self._in_spool = metrics.STORED_EVENTS.labels(Stored.SPOOL)
        self._noted: list[tuple[int, float, float]] = []
        self._timer: asyncio.TimerHandle | None = None

    def stored(self, batch: Batch, place: Stored) -> None:
        """All events of a batch have been stored, just now."""
        if place is Stored.STREAM:  # what is spooled is counted where that is done
            self._ledger.stream(len(batch.events))
        counter = self._on_stream if place is Stored.STREAM else self._in_spool
        counter.inc(len(batch.events))
        if batch.waiters:
            metrics.FAST_LANE_EVENTS.inc(len(batch.waiters))
        self._noted.append((len(batch.events), perf_counter() - batch.opened_at, batch.publish_s))
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_LATER_S, self.observe)
        elif len(self._noted) >= _AT_ONCE:
            self.observe()

    def refused(self, batch: Batch, reason: str) -> None:
        """No event of a batch has been stored."""
        self._ledger.refuse(len(batch.events), reason)

    def observe(self) -> None:
        """Observe what was noted until now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        noted, self._noted = self._noted, []
        for events, store_s, publish_s in noted:
            metrics.BATCH_EVENTS.observe(events)
            metrics.STORE_SECONDS.observe(store_s)
            if publish_s:
                metrics.PUBLISH_SECONDS.observe(publish_s)


def answers_until_now() -> tuple[int, ...]:
    """How many batches this process has stored, by how long that took: up to each bound of
    gateway.store_times.STORE_BOUNDS_S, and longer.
    """
    (store,) = metrics.STORE_SECONDS.collect()
    up_to = [int(one.value) for one in store.samples if one.name.endswith("_bucket")]
    return tuple(after - before for before, after in pairwise([0, *up_to]))
