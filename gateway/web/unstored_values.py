"""Counts the values of events that are not stored, because they look like keys or are too much."""

from gateway.entity_metrics import VALUES_LEFT_OUT
from gateway.inbound.admission import Admitted

__all__ = ["count_unstored"]


def count_unstored(admitted: Admitted) -> None:
    """Count those of an event that is about to be stored, if there are any."""
    if admitted.left_out:
        VALUES_LEFT_OUT.labels(admitted.name).inc(admitted.left_out)
