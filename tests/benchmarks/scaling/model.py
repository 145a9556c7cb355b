"""Models what an event costs each process by how densely events come. Pure; fitted to measurements.

An event that comes alone pays for a whole batch: a call of Redis, a turn of the loop, a write. Of
events that come densely, several share that. If a process gathers for `gather_s` what it does at
once, and `density` is how many events a second it gathers from,

    cost = shared + alone / (1 + density * gather_s)
    density = rate / parts ** spread

where `shared` is what an event costs in a large batch and `alone` what a batch costs besides.
`parts` are what the events are divided among: the processes of a receiver, the partitions of a
consumer's stream. If these gathered each for itself, `spread` would be 1; it is less, since one
process gathers from several partitions, and all of them wait for the same Redis meanwhile.
"""

from collections.abc import Mapping, Sequence
from math import log10
from statistics import median
from typing import Final

from msgspec import Struct

from tests.benchmarks.scaling.measurement import Measured, Shape

__all__ = [
    "CONSUMERS",
    "GENERATOR",
    "KINDS",
    "Cost",
    "CostModel",
    "Point",
    "Prediction",
    "fitted",
    "medians_of",
    "model_of",
    "predicted_knee",
    "predictions",
]

CONSUMERS: Final = ("audit", "enricher", "warehouse", "notifier")
KINDS: Final = ("receiver", "redis", *CONSUMERS)
GENERATOR: Final = "generator"
"""The load itself, which takes part of the machine that it loads."""
TRAINING: Final = frozenset({Shape(1, 1), Shape(1, 4), Shape(4, 1), Shape(4, 4)})
"""The shapes that the model is fitted to: the corners. The others are what it is held to."""

_SHORTEST_S: Final = 1e-4
_LONGEST_S: Final = 10.0
_GRID: Final = 120
_SPREADS: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
_ALL_AT_ONCE: Final = frozenset({"redis", "warehouse", GENERATOR})
"""Of which there is one in what was measured, and which gathers from everything."""


class Point(Struct, frozen=True):
    """Something measured: events a second, among how many parts, and the cost in µs."""

    rate: float
    parts: int
    us: float


class Cost(Struct, frozen=True, kw_only=True):
    """What an event costs one kind of process, in µs of CPU."""

    shared_us: float
    alone_us: float
    gather_s: float
    spread: float = 0.0

    def at_density(self, density: float) -> float:
        """The cost where it gathers from so many events a second."""
        return self.shared_us + self.alone_us / (1 + density * self.gather_s)

    def of(self, rate: float, parts: int) -> float:
        """The cost at a rate that is divided among parts."""
        return self.at_density(rate / parts**self.spread)


class CostModel(Struct, frozen=True):
    """The costs by kind of process, and up to which density they were measured."""

    costs: Mapping[str, Cost]
    densest: float

    def us(self, kind: str, rate: float, shape: Shape) -> float:
        """What an event costs a kind, in µs, at so many events a second on a shape."""
        return self.costs[kind].of(rate, _parts(kind, shape))

    def cores(self, kind: str, rate: float, shape: Shape) -> float:
        """How many cores all processes of a kind take together."""
        return rate * self.us(kind, rate, shape) / 1e6


class Prediction(Struct, frozen=True, kw_only=True):
    """What the model says of a kind at a place, and the median of what was measured there, µs."""

    kind: str
    shape: Shape
    rate: float
    predicted: float
    measured: float

    @property
    def error(self) -> float:
        """By how much of the measured it is off: 0.1 for ten percent too much."""
        return self.predicted / self.measured - 1


def _parts(kind: str, shape: Shape) -> int:
    if kind in _ALL_AT_ONCE:
        return 1
    return shape.workers if kind == "receiver" else shape.partitions


def medians_of(rounds: Sequence[Measured], kind: str) -> dict[tuple[Shape, float], float]:
    """The median of all rounds at each place."""
    values: dict[tuple[Shape, float], list[float]] = {}
    for one in rounds:
        values.setdefault((one.shape, one.rate), []).append(one.cpu_us[kind])
    return {place: median(found) for place, found in values.items()}


def model_of(rounds: Sequence[Measured]) -> CostModel:
    """The model that fits the corners best."""
    return CostModel(
        {
            kind: fitted(
                [
                    Point(rate, _parts(kind, shape), us)
                    for (shape, rate), us in medians_of(rounds, kind).items()
                    if shape in TRAINING
                ]
            )
            for kind in (*KINDS, GENERATOR)
        },
        max(one.rate for one in rounds),
    )


def predictions(model: CostModel, rounds: Sequence[Measured]) -> list[Prediction]:
    """What the model says of the places that it was not fitted to, beside what was measured."""
    return [
        Prediction(
            kind=kind,
            shape=shape,
            rate=rate,
            predicted=model.us(kind, rate, shape),
            measured=measured,
        )
        for kind in KINDS
        for (shape, rate), measured in sorted(medians_of(rounds, kind).items())
        if shape not in TRAINING
    ]


def predicted_knee(model: CostModel, cores: int) -> float:
    """The rate at which a machine is full that has all processes once, and the load besides."""
    low, high = 1.0, 1e6
    while high - low > 1:
        rate = (low + high) / 2
        taken = sum(model.cores(kind, rate, Shape(1, 1)) for kind in model.costs)
        low, high = (rate, high) if taken < cores else (low, rate)
    return low


def fitted(points: Sequence[Point]) -> Cost:
    """The cost with the least squares of relative errors. ValueError without points.

    Neither part is below nothing.
    """
    if not points:
        raise ValueError("nothing was measured")
    step = (log10(_LONGEST_S) - log10(_SHORTEST_S)) / _GRID
    times = [_SHORTEST_S * 10 ** (step * number) for number in range(_GRID + 1)]
    are_divided = len({one.parts for one in points}) > 1
    candidates = [
        _fitted_at(points, gather_s, spread)
        for gather_s in times
        for spread in (_SPREADS if are_divided else _SPREADS[:1])
    ]
    return min(candidates, key=lambda one: _badness(one, points))


def _fitted_at(points: Sequence[Point], gather_s: float, spread: float) -> Cost:
    """The best of these two: least squares of two unknowns, each point weighted by 1/µs²."""
    rows = [
        (1 / one.us, 1 / (one.us * (1 + one.rate / one.parts**spread * gather_s))) for one in points
    ]
    xx, xy = sum(a * a for a, _ in rows), sum(a * b for a, b in rows)
    yy, x, y = sum(b * b for _, b in rows), sum(a for a, _ in rows), sum(b for _, b in rows)
    found = [(x / xx, 0.0), (0.0, y / yy)]
    determinant = xx * yy - xy * xy
    if determinant > 1e-12 * xx * yy:
        found.append(((x * yy - y * xy) / determinant, (y * xx - x * xy) / determinant))
    costs = [
        Cost(shared_us=shared, alone_us=alone, gather_s=gather_s, spread=spread)
        for shared, alone in found
        if shared >= 0 and alone >= 0
    ]
    return min(costs, key=lambda one: _badness(one, points))


def _badness(cost: Cost, points: Sequence[Point]) -> float:
    return sum((cost.of(one.rate, one.parts) / one.us - 1) ** 2 for one in points)
