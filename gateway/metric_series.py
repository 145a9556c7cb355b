"""Ends the series of a gauge whose subject is no more, in one process and in workers."""

import os

from prometheus_client import Gauge

__all__ = ["end_series"]


def end_series(gauge: Gauge, *labels: object) -> None:
    """Let a gauge say no more of a subject that there is no more; harmless where it said nothing.

    Workers share files of numbers, out of which none can be taken: there it becomes 0.
    https://prometheus.github.io/client_python/multiprocess/
    """
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        gauge.labels(*labels).set(0)
    else:
        gauge.remove(*labels)
