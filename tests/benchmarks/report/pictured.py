"""Says what each picture of the page shows, as plain values. Draws nothing."""

import hashlib
from typing import Final

import msgspec
from msgspec import Struct

from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.report import medians
from tests.benchmarks.report.results import Results

__all__ = [
    "Bars",
    "Curves",
    "Length",
    "Lines",
    "Picture",
    "Point",
    "fingerprint",
    "pictures",
]

_MEMORY: Final = "memory idle after"


class Length(Struct, frozen=True):
    """A bar: what it is of, which side it is, how long it is."""

    of: str
    side: str
    value: float


class Bars(Struct, frozen=True, tag=True):
    """Bars that lie beside each other; `ours` is the side that stands out."""

    title: str
    ours: str
    lengths: tuple[Length, ...]


class Curves(Struct, frozen=True, tag=True):
    """A small picture for each curve."""

    title: str
    curves: tuple[Curve, ...]


class Point(Struct, frozen=True):
    """A point of a line: which line, and where."""

    of: str
    x: float
    y: float


class Lines(Struct, frozen=True, tag=True):
    """Lines over one axis; `limit` is a height that is not to be passed."""

    title: str
    x: str
    y: str
    points: tuple[Point, ...]
    limit: float | None = None


Picture = Bars | Curves | Lines


def pictures(results: Results) -> dict[str, Picture]:
    """What can be drawn of what was measured, by the name of the picture."""
    made: dict[str, Picture] = {}
    if lengths := _receiver(results):
        made["receiver"] = Bars("CPU time for each accepted event, µs", "gateway", lengths)
    if lengths := _memory(results):
        made["memory"] = Bars("Memory of each process after its work, MB (PSS)", "now", lengths)
    if curves := medians.curves(results.of("growth")):
        made["growth"] = Curves("What it costs by how much there is", tuple(curves))
    return made


def fingerprint(picture: Picture) -> str:
    """What tells a picture from one of other figures."""
    return hashlib.sha256(msgspec.json.encode(picture)).hexdigest()[:16]


def _receiver(results: Results) -> tuple[Length, ...]:
    compared = [one for one in medians.summaries(results.of("ingest")) if one.sides]
    sides = {side.name: side.value for one in compared for side in one.sides}
    rows = (Length(name, name, round(value, 1)) for name, value in sides.items())
    return tuple(sorted(rows, key=lambda row: row.value))


def _memory(results: Results) -> tuple[Length, ...]:
    return tuple(
        Length(one.of, side.name, round(side.value, 1))
        for one in medians.summaries(results.of("footprint"))
        if one.name.startswith(_MEMORY) and one.of != "redis"
        for side in one.sides
    )
