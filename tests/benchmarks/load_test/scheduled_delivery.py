"""Describes a delivery of a schedule."""

from dataclasses import dataclass

from gateway.drill.delivery_load import LoadDelivery

__all__ = ["ScheduledDelivery"]


@dataclass(slots=True)
class ScheduledDelivery(LoadDelivery):
    """One request that was due at a moment, whether it could be sent then or not."""

    due_at: float = 0.0
