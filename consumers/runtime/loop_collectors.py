"""Collects what the event loop's thread alone counts: a plain addition for each event.

prometheus_client's own counters take a lock each time, since any thread may use them. What is done
once for each event of a backlog is a good part of what an event costs then.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

__all__ = ["Durations", "Results"]


_BOUNDS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)


class Durations(Collector):
    """Counts durations in a histogram with the label `group`; for the event loop's thread only."""

    def __init__(self, name: str, meaning: str, group: str) -> None:
        self._name = name
        self._meaning = meaning
        self._group = group
        self._counts = [0] * (len(_BOUNDS) + 1)
        self._sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Note one duration."""
        self.observe_all((seconds,))

    def observe_all(self, several: Iterable[float]) -> None:
        """Note durations in seconds; one below 0, of two clocks that differ, is none."""
        counts, sum_s = self._counts, 0.0
        for seconds in several:
            counts[bisect_left(_BOUNDS, seconds)] += 1
            if seconds > 0:
                sum_s += seconds
        self._sum_s += sum_s

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the registry asks for when somebody looks."""
        family = HistogramMetricFamily(self._name, self._meaning, labels=("group",))
        bounds = [*(str(bound) for bound in _BOUNDS), "+Inf"]
        buckets = list(zip(bounds, accumulate(self._counts), strict=True))
        family.add_metric((self._group,), buckets, sum_value=self._sum_s)
        yield family


class Results(Collector):
    """Shows counts that somebody else keeps, as a counter with the labels `group` and `result`.

    `counts` gives them by result, when the registry asks for them.
    """

    def __init__(
        self, name: str, meaning: str, group: str, counts: Callable[[], Mapping[str, int]]
    ) -> None:
        self._name = name
        self._meaning = meaning
        self._group = group
        self._counts = counts
        self._created_at = time.time()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """What the registry asks for when somebody looks."""
        family = CounterMetricFamily(self._name, self._meaning, labels=("group", "result"))
        for result, count in self._counts().items():
            family.add_metric((self._group, result), count, created=self._created_at)
        yield family
