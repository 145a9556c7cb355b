"""Measures memory, processor time and open files of each process of a receiver with workers.

prometheus_client adds up what its users count, and leaves these out:
https://prometheus.github.io/client_python/multiprocess/
"""

from collections.abc import Iterator, Mapping
from functools import partial

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["ProcessMetrics"]


class ProcessMetrics(Collector):
    """Gives the `process_…` metrics of the processes in `pids`, by their names in it."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = pids

    def collect(self) -> Iterator[Metric]:
        """What the kernel says of them now; nothing of one that has just died."""
        families: dict[str, Metric] = {}
        for name, pid in self._pids.items():
            for found in ProcessCollector(pid=partial(int, pid), registry=None).collect():
                family = families.setdefault(
                    found.name, Metric(found.name, found.documentation, found.type)
                )
                for sample in found.samples:
                    family.add_sample(sample.name, {"process": name}, sample.value)
        yield from families.values()
