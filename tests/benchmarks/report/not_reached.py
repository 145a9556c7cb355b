"""Says why bars that were not reached were not, each beside the profile that shows it."""

from collections.abc import Mapping
from typing import Final

__all__ = ["REASONS", "reason_for"]

REASONS: Final[Mapping[str, str]] = {}
"""By the beginning of a figure's or a curve's name."""


def reason_for(name: str) -> str:
    """Why a figure misses its bar; empty where nobody has written it down."""
    return next((why for start, why in REASONS.items() if name.startswith(start)), "")
