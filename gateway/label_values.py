"""Lets counters begin at 0 for every value that their labels can have.

A series that is not there yet has no increase when it appears, so that an alert would miss the
first delivery that is lost:
https://prometheus.io/docs/practices/instrumentation/#avoid-missing-metrics
"""

from collections.abc import Iterable
from typing import Final, get_args

from prometheus_client import Counter

from gateway import metrics
from gateway.contract import Trouble

__all__ = ["DELIVERY_REASONS", "begin_receiver_at_zero", "begin_reconcile_at_zero"]

DELIVERY_REASONS: Final = {
    "ignored": ("not_subscribed", "offline_signal", "robot"),
    "forbidden": (
        "unknown_portal",
        "missing_token",
        "wrong_token",
        "not_confirmed",
        "not_allowed_network",
    ),
    "malformed": (
        "no_event",
        "no_id",
        "bad_id",
        "too_long",
        "too_many_keys",
        "too_deep",
        "name_not_utf8",
    ),
    "refused": (
        "media_type",
        "too_large",
        "method",
        "path",
        "slow_headers",
        "slow_body",
        "cut_body",
        "expectation",
        "bad_http",
        "too_many_connections",
    ),
    "unavailable": (
        "queue_full",
        "spool_full",
        "spool_busy",
        "spool_broken",
        "installation_waits",
        "installation_lost",
        "uninstallation",
        "internal",
    ),
}
"""The reasons of each outcome of a delivery that was not stored; docs/http.md has them, too."""

_OF_RECEIVER: Final[tuple[tuple[Counter, tuple[str, ...]], ...]] = (
    (metrics.STORED_EVENTS, ("stream", "spool")),
    (
        metrics.QUARANTINED,
        (
            *("kept", "took_place", "full", "token_full", "total_full", "no_memory"),
            *("away", "busy", "too_large", "no_event"),
        ),
    ),
    (metrics.INSTALLATIONS, ("installed", "refused")),
    (metrics.EVENT_TOKENS, ("taken", "none", "away")),
    (metrics.PUBLISH_FAILURES, ("away", "refused", "not_durable")),
)
_OF_RECONCILE: Final[tuple[tuple[Counter, tuple[str, ...]], ...]] = (
    (metrics.RECOVERED_EVENTS, ("queue", "sweep")),
    (metrics.OFFLINE_ROWS, ("arrived", "missed", "unreadable")),
    (metrics.PORTAL_TROUBLES, get_args(Trouble)),
)


def begin_receiver_at_zero() -> None:
    """Show every value of a receiver's counters; may be called again."""
    for outcome, reasons in DELIVERY_REASONS.items():
        for reason in reasons:
            metrics.DELIVERIES.labels(outcome, reason)
    _begin(_OF_RECEIVER)


def begin_reconcile_at_zero() -> None:
    """Show every value of the counters of `gateway reconcile`; may be called again."""
    _begin(_OF_RECONCILE)


def _begin(counters: Iterable[tuple[Counter, tuple[str, ...]]]) -> None:
    for counter, values in counters:
        for value in values:
            counter.labels(value)
