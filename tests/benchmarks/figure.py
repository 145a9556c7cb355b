"""Figures that benchmarks measure: each beside its bar, and with both sides where it is a ratio.

A ratio's sides come from one run, in alternating rounds, since the speed of a machine changes.
"""

from collections.abc import Iterable

from msgspec import Struct

__all__ = ["Bar", "Figure", "Side", "at_least", "at_most", "judged", "ratio", "rounded"]


class Bar(Struct, frozen=True):
    """What a figure has to be: at most, or at least, as much as this."""

    limit: float
    is_least: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether a figure holds."""
        return value >= self.limit if self.is_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'at least' if self.is_least else 'at most'} {rounded(self.limit)}"


class Side(Struct, frozen=True):
    """One of two that were compared."""

    name: str
    value: float
    unit: str


class Figure(Struct, frozen=True):
    """Something measured once. It is known over several runs by its name and what it is of."""

    name: str
    value: float
    unit: str = ""
    bar: Bar | None = None
    sides: tuple[Side, ...] = ()
    of: str = ""
    """Which of several that are measured alike: a process, a destination."""

    @property
    def words(self) -> str:
        """What it is of, and its name."""
        return f"{self.of}: {self.name}" if self.of else self.name

    @property
    def holds(self) -> bool:
        """Whether its bar is met; what has none is there to be known."""
        return self.bar is None or self.bar.is_met_by(self.value)


def at_most(name: str, value: float, limit: float, unit: str = "", *, of: str = "") -> Figure:
    """A figure that has to stay below something."""
    return Figure(name, value, unit, Bar(limit), of=of)


def at_least(name: str, value: float, limit: float, unit: str = "", *, of: str = "") -> Figure:
    """A figure that has to reach something."""
    return Figure(name, value, unit, Bar(limit, is_least=True), of=of)


def ratio(name: str, ours: Side, theirs: Side, bar: Bar | None = None, *, of: str = "") -> Figure:
    """How many times the other's our side is. ZeroDivisionError where the other has nothing."""
    return Figure(name, ours.value / theirs.value, "×", bar, (ours, theirs), of)


def rounded(value: float) -> str:
    """To three digits, as many as a figure is worth; whole numbers from a hundred on."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def judged(figures: Iterable[Figure]) -> bool:
    """Print each figure beside its bar; whether all hold."""
    hold = True
    for one in figures:
        verdict = "    " if one.bar is None else ("ok  " if one.holds else "MISS")
        bar = "" if one.bar is None else f" ({one.bar})"
        sides = ", ".join(f"{side.name} {rounded(side.value)} {side.unit}" for side in one.sides)
        print(f"{verdict} {one.words}: {rounded(one.value)} {one.unit}{bar}", sides, sep="  ")
        hold &= one.holds
    return hold
