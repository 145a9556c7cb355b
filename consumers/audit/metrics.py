"""Names all metrics of the audit consumer."""

from typing import Final

from prometheus_client import Counter, Gauge

__all__ = ["ANCHORED_AT", "ANCHORS_FAILED", "GAPS"]

GAPS: Final = Counter(
    "b24_audit_gaps",
    "Times that acknowledged entries were found missing from the log; see consumers audit verify",
)
ANCHORED_AT: Final = Gauge(
    "b24_audit_anchored_at_seconds", "When a chain was anchored outside last, Unix time", ["chain"]
)
ANCHORS_FAILED: Final = Counter("b24_audit_anchors_failed", "Anchors that could not be placed")
