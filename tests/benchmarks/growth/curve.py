"""Describes what one thing costs at several sizes, and how fast that may grow. Measures nothing."""

import math
from typing import Final

from msgspec import Struct

__all__ = ["CONSTANT", "LINEAR", "Curve"]

# Room for noise: an exponent is fitted to two figures.
CONSTANT: Final = 0.3
LINEAR: Final = 1.2


class Curve(Struct, frozen=True, kw_only=True):
    """The costs of one thing by size; its law is the exponent that fits the first and the last."""

    name: str
    of: str
    """What is counted: entries, portals, …"""

    unit: str
    """Of the costs: "s of CPU", "ms of CPU", "s on the clock", …"""

    costs: dict[int, float]
    most_exponent: float
    """0 is constant, 1 linear."""

    bar: float | None = None
    """What it may cost at the largest size."""

    @property
    def sizes(self) -> list[int]:
        """The sizes, ascending."""
        return sorted(self.costs)

    @property
    def exponent(self) -> float:
        """The law; infinite where what cost nothing costs something."""
        small, large = self.sizes[0], self.sizes[-1]
        if self.costs[small] == self.costs[large]:
            return 0.0
        if not self.costs[small]:
            return math.inf
        return math.log(self.costs[large] / self.costs[small]) / math.log(large / small)

    @property
    def is_good(self) -> bool:
        """Whether it grows as it may, and is within its bar."""
        is_within = self.bar is None or self.costs[self.sizes[-1]] <= self.bar
        return is_within and self.exponent <= self.most_exponent
