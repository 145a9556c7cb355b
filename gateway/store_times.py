"""Defines by which times it is counted how long storing took: in the metric, and in heartbeats."""

from typing import Final

__all__ = ["STORE_BOUNDS_S"]

STORE_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
"""Upper bounds, each of what is above the one before; what takes longer is counted apart."""
