"""Defines the metrics of the balance."""

from typing import Final

from prometheus_client import Gauge

__all__ = ["BALANCE_OPEN_EVENTS", "UNANSWERED_EVENTS"]

BALANCE_OPEN_EVENTS: Final = Gauge(
    "b24gw_balance_open_events",
    "Events that were accepted and are nowhere, and that no operator has written off (0: the "
    "balance closes); from the receivers that drain their spools.",
    multiprocess_mode="mostrecent",
)
UNANSWERED_EVENTS: Final = Gauge(
    "b24gw_unanswered_events",
    "Events whose process died before it had answered, since this machine began to count: each may "
    "be stored or not, and none was answered 200.",
    multiprocess_mode="mostrecent",
)
