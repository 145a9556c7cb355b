"""Spreads deliveries, so that no more of them leave a second than an endpoint wants. Pure."""

__all__ = ["DeliveryRate"]


class DeliveryRate:
    """Gives turns that are `1 / max_per_second` apart; 0: whenever somebody asks.

    What nobody used is not saved up: after an outage there is no burst.
    """

    def __init__(self, max_per_second: float) -> None:
        self._apart_s = 1 / max_per_second if max_per_second else 0.0
        self._free_at = 0.0

    def wait_s(self, now: float) -> float:
        """Take the next turn; how many seconds it is away."""
        if not self._apart_s:
            return 0.0
        at = max(self._free_at, now)
        self._free_at = at + self._apart_s
        return at - now
