"""Shows the metrics of several groups as those of one process: each family once."""

from collections.abc import Iterable, Iterator
from copy import copy

from prometheus_client import CollectorRegistry, Metric

__all__ = ["MergedRegistry"]


class MergedRegistry(CollectorRegistry):
    """Merges registries whose metrics have the same names, and labels that tell them apart."""

    def __init__(self, registries: Iterable[CollectorRegistry]) -> None:
        super().__init__()
        self._registries = tuple(registries)

    def collect(self) -> Iterator[Metric]:
        """The families of all of them."""
        merged: dict[str, Metric] = {}
        for registry in self._registries:
            for family in registry.collect():
                known = merged.get(family.name)
                if known is None:
                    merged[family.name] = known = copy(family)
                    known.samples = []
                known.samples.extend(family.samples)
        yield from merged.values()
