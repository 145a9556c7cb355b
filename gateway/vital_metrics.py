"""Defines the metrics that every process has, the gateway's and the consumers': whether it is
whole.
"""

from typing import Final

from prometheus_client import Counter

__all__ = ["BACKGROUND_FAILURES", "LOG_LINES_DROPPED"]

BACKGROUND_FAILURES: Final = Counter(
    "b24gw_background_failures",
    "How often a background task ended by an error that nobody foresaw, or too early.",
    ["task"],
)
LOG_LINES_DROPPED: Final = Counter(
    "b24gw_log_lines_dropped",
    "Log lines that were not written, because the file did not take them, or not in time.",
)
