"""Shows a gauge of many subjects by the few that stand out: never a series for each portal.

To scrape a series for each of ten thousand portals would keep an event loop for a fifth of a
second, and cost Prometheus as many series for as long as it keeps anything. The values of all
subjects are known here, and a scrape shows the largest or the smallest.
"""

import heapq
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Final

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["RankedGauge"]

_MOST: Final = 20


class RankedGauge(Collector):
    """A gauge whose `labels` are those of the `most` subjects with the largest values.

    With `smallest` it is those with the smallest ones. Used by the event loop's thread alone. In
    the files of workers it is not: their supervisor asks one of them for it.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: tuple[str, ...] = ("member_id",),
        *,
        most: int = _MOST,
        smallest: bool = False,
    ) -> None:
        self.name: Final = name
        self._documentation = documentation
        self.labels: Final = labels
        self._most = most
        self._choose = heapq.nsmallest if smallest else heapq.nlargest
        self._values: dict[tuple[str, ...], float] = {}
        REGISTRY.register(self)

    def set(self, *labels: str, value: float) -> None:
        """Note the value of a subject."""
        self._values[labels] = value

    def end(self, *labels: str) -> None:
        """Let a subject be gone; harmless where nothing was noted of it."""
        self._values.pop(labels, None)

    def replace(self, values: Mapping[str, float]) -> None:
        """Note these in place of all others; of a gauge with one label."""
        self._values = {(label,): value for label, value in values.items()}

    def describe(self) -> list[Metric]:
        """The gauge without its values, so that nothing is collected to register it."""
        return [GaugeMetricFamily(self.name, self._documentation, labels=self.labels)]

    def collect(self) -> Iterator[Metric]:
        """The subjects that stand out, the first first."""
        family = GaugeMetricFamily(self.name, self._documentation, labels=self.labels)
        for labels, value in self._choose(self._most, self._values.items(), key=itemgetter(1)):
            family.add_metric(labels, value)
        yield family
