"""Takes the medians of several runs of a benchmark, and how far the runs lie apart. Pure."""

from collections.abc import Sequence
from statistics import median

from msgspec import Struct
from msgspec.structs import replace

from tests.benchmarks.figure import Bar, Figure, Side
from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.recorded_run import RecordedRun

__all__ = ["Summary", "curves", "summaries"]


class Summary(Struct, frozen=True):
    """A figure over some runs. Medians of its sides are of each side by itself."""

    name: str
    unit: str
    bar: Bar | None
    values: tuple[float, ...]
    sides: tuple[Side, ...]
    of: str

    @property
    def words(self) -> str:
        """What it is of, and its name."""
        return f"{self.of}: {self.name}" if self.of else self.name

    @property
    def value(self) -> float:
        """The median."""
        return median(self.values)

    @property
    def is_met(self) -> bool:
        """Whether the median is within the bar."""
        return self.bar is None or self.bar.is_met_by(self.value)


def summaries(runs: Sequence[RecordedRun]) -> list[Summary]:
    """Of each figure of the last run; a run that lacks one is left out for it."""
    last = runs[-1].figures if runs else []
    return [_summary([_same(run, one) for run in runs], one) for one in last]


def _summary(found: Sequence[Figure | None], last: Figure) -> Summary:
    same = [one for one in found if one is not None and len(one.sides) == len(last.sides)]
    sides = tuple(
        replace(side, value=median(one.sides[place].value for one in same))
        for place, side in enumerate(last.sides)
    )
    values = tuple(one.value for one in same)
    return Summary(last.name, last.unit, last.bar, values, sides, last.of)


def _same(run: RecordedRun, as_this: Figure) -> Figure | None:
    return next((one for one in run.figures if one.words == as_this.words), None)


def curves(runs: Sequence[RecordedRun]) -> list[Curve]:
    """The curves of the last run, with the median at each size."""
    last = runs[-1].curves if runs else []
    return [
        _median_curve([c for run in runs for c in run.curves if c.name == one.name]) for one in last
    ]


def _median_curve(same: Sequence[Curve]) -> Curve:
    last = same[-1]
    sizes = [size for size in last.sizes if all(size in one.costs for one in same)]
    return replace(last, costs={size: median(one.costs[size] for one in same) for size in sizes})
