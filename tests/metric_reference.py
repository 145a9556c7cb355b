"""Makes docs/metrics.md of the code: `python -m tests.metric_reference docs/metrics.md`.

Whatever a process shows is defined with a sentence, which is what the page is made of; a test holds
the page to it.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Final

from msgspec import Struct
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric

import consumers.audit.metrics
import consumers.enricher.metrics
import consumers.feed.metrics
import consumers.notifier.metrics
import consumers.relay.metrics
import consumers.warehouse.metrics
import gateway.balance.metrics
import gateway.entity_metrics
import gateway.metrics
import gateway.vital_metrics
from consumers.runtime.metrics import Metrics
from gateway.ranked_gauge import RankedGauge

__all__ = ["MetricRow", "all_rows", "page"]

_INTRODUCTION: Final = """\
# Metrics

What each process shows at `/metrics` for Prometheus: the receiver and `gateway reconcile` on their
admin ports ([http.md](http.md#the-admin-port)), each consumer on its own. Besides these there are
Python's own `process_…` and `python_…`.

* No label has an unbounded number of values: of portals, the twenty or hundred that stand out are
  shown, and sums.
* Nothing is scanned when somebody asks.
* Counters whose labels have known values begin at 0, so that an alert sees the first increase.
* Over gauges of streams and portals, which every receiver shows, take the `max`; over counters
  the sum.
* [deploy/prometheus](../deploy/prometheus) has a configuration to scrape all of it, and alerts,
  each with [a page of what to do](runbook/README.md); [deploy/grafana](../deploy/grafana/README.md)
  has dashboards.

This page is made from the code by `make docs`.
"""

_SECTIONS: Final[tuple[tuple[str, ModuleType], ...]] = (
    ("Every process", gateway.vital_metrics),
    ("The receiver and `gateway reconcile`", gateway.metrics),
    ("Events about entities", gateway.entity_metrics),
    ("The balance", gateway.balance.metrics),
)
_OF_CONSUMERS: Final[tuple[tuple[str, ModuleType], ...]] = (
    ("The enricher", consumers.enricher.metrics),
    ("The notifier", consumers.notifier.metrics),
    ("The warehouse", consumers.warehouse.metrics),
    ("The relay", consumers.relay.metrics),
    ("The audit log", consumers.audit.metrics),
    ("The feed", consumers.feed.metrics),
)


class MetricRow(Struct, frozen=True, order=True):
    """A metric as Prometheus shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def page() -> str:
    """The whole page as Markdown."""
    lines = [_INTRODUCTION]
    for title, rows in _all_sections():
        lines += [f"## {title}", "", "| Metric | Type | Labels | Meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{one.name}` | {one.kind} | {', '.join(f'`{label}`' for label in one.labels)} "
            f"| {' '.join(one.meaning.split()).replace('|', chr(92) + '|')} |"
            for one in rows
        ]
        lines.append("")
    return "\n".join(lines)


def all_rows() -> list[MetricRow]:
    """Every metric that any process shows."""
    return [row for _title, rows in _all_sections() for row in rows]


def _all_sections() -> Iterator[tuple[str, list[MetricRow]]]:
    for title, module in _SECTIONS:
        yield title, _of_module(module)
    yield "Every consumer", _of_runtime()
    for title, module in _OF_CONSUMERS:
        yield title, _of_module(module)


def _of_module(module: ModuleType) -> list[MetricRow]:
    found = [getattr(module, name) for name in module.__all__]
    metrics = [one for one in found if isinstance(one, Counter | Gauge | Histogram | RankedGauge)]
    return sorted(
        _row(described, _labels_of(one)) for one in metrics for described in one.describe()
    )


def _labels_of(metric: Counter | Gauge | Histogram | RankedGauge) -> tuple[str, ...]:
    if isinstance(metric, RankedGauge):
        return metric.labels
    # prometheus_client has no public name for it.
    labels: Iterable[str] = metric._labelnames  # noqa: SLF001
    return tuple(labels)


def _of_runtime() -> list[MetricRow]:
    """The runtime's, made to show all that they can: theirs is a registry for each process."""
    metrics = Metrics("group")
    metrics.of_partitions.owns(0, 1)
    metrics.of_partitions.stands(0, lag=0, pending=0, oldest_s=0.0, dead=0)
    metrics.of_partitions.works(0, in_hand=0, parked=0, is_failing=False)
    metrics.of_partitions.paused(0, as_a_whole=False, in_part=False)
    return sorted(_row(one, _sampled_labels(one)) for one in metrics.registry.collect())


def _sampled_labels(metric: Metric) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for s in metric.samples for name in s.labels if name != "le"))


def _row(metric: Metric, labels: tuple[str, ...]) -> MetricRow:
    suffix = "_total" if metric.type == "counter" else ""
    return MetricRow(metric.name + suffix, metric.type, labels, metric.documentation)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
