"""Defines the metric of how many partitions there are."""

from typing import Final

from prometheus_client import Gauge

__all__ = ["PARTITIONS"]

PARTITIONS: Final = Gauge(
    "b24gw_partitions",
    "Partitions into which events are spread (gateway repartition changes it).",
    multiprocess_mode="mostrecent",
)
