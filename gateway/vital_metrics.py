"""Defines the metrics that every process has, the gateway's and the consumers': whether it is
whole.
"""

import platform
from importlib.metadata import version
from typing import Final

from prometheus_client import Counter, Gauge

__all__ = ["BACKGROUND_FAILURES", "BUILD", "LOG_LINES_DROPPED", "tell_build"]

BACKGROUND_FAILURES: Final = Counter(
    "b24gw_background_failures",
    "How often a background task ended by an error that nobody foresaw, or too early.",
    ["task"],
)
LOG_LINES_DROPPED: Final = Counter(
    "b24gw_log_lines_dropped",
    "Log lines that were not written, because the file did not take them, or not in time.",
)
BUILD: Final = Gauge(
    "b24gw_build_info",
    "1, of the version that runs and the Python that runs it.",
    ["version", "python"],
    multiprocess_mode="mostrecent",
)


def tell_build() -> None:
    """Show which version this process is, and by which Python it runs."""
    BUILD.labels(version("bitrix24-event-gateway"), platform.python_version()).set(1)
