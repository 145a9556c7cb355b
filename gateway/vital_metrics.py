"""The metrics that every process has, the gateway's and the consumers': whether it is whole."""

from typing import Final

from prometheus_client import Counter

__all__ = ["BACKGROUND_FAILURES"]

BACKGROUND_FAILURES: Final = Counter(
    "b24gw_background_failures",
    "How often a background task ended by an error that nobody foresaw, or too early.",
    ["task"],
)
