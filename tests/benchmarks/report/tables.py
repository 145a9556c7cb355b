"""Lays out what was measured as tables of Markdown: medians, bars, spread, both sides. Pure."""

from collections.abc import Iterator, Sequence
from typing import Final

from tests.benchmarks.figure import rounded
from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.recorded_run import RecordedRun
from tests.benchmarks.report import medians
from tests.benchmarks.report.medians import Summary

__all__ = ["shown_exponent", "tables"]

_MISSED: Final = ", **missed**"


def tables(runs: Sequence[RecordedRun]) -> Iterator[str]:
    """The lines of what one benchmark measured."""
    found = medians.summaries(runs)
    alone = [one for one in found if not one.of]
    alike = [one for one in found if one.of]
    curves = medians.curves(runs)
    if alone:
        yield from _rows(sorted(alone, key=lambda one: one.bar is None))
        yield ""
    if alike:
        yield from _matrix(alike)
        yield ""
    if curves:
        yield from _laws(curves)
        yield ""
    yield _about(runs)


def _rows(found: Sequence[Summary]) -> Iterator[str]:
    """A row for each."""
    yield "| | Bar | Median | Runs | Both sides |"
    yield "|---|---|---|---|---|"
    for one in found:
        bar = "" if one.bar is None else f"{one.bar}{'' if one.is_met else _MISSED}"
        low, high = rounded(min(one.values)), rounded(max(one.values))
        spread = f"{low} to {high}" if len(one.values) > 1 else ""
        sides = ", ".join(f"{side.name} {rounded(side.value)}" for side in one.sides)
        unit = one.sides[0].unit if one.sides else ""
        median = f"{rounded(one.value)} {one.unit}"
        yield _row(_capital(one.name), bar, median, spread, f"{sides} {unit}")


def _matrix(found: Sequence[Summary]) -> Iterator[str]:
    """A row for each that was measured alike, a column for each figure."""
    columns = {name: [one for one in found if one.name == name] for name in _names(found)}
    yield _row("", *(_heading(name, of) for name, of in columns.items()))
    yield "|---" * (len(columns) + 1) + "|"
    for row in dict.fromkeys(one.of for one in found):
        cells = []
        for of in columns.values():
            has_own_bar = len({one.bar for one in of}) > 1
            cells.append(
                "".join(_cell(one, has_own_bar=has_own_bar) for one in of if one.of == row)
            )
        yield _row(row, *cells)


def _names(found: Sequence[Summary]) -> list[str]:
    return list(dict.fromkeys(one.name for one in found))


def _heading(name: str, of: Sequence[Summary]) -> str:
    first = of[0]
    bars = {one.bar for one in of}
    bar = f"; {first.bar}" if len(bars) == 1 and first.bar else ""
    sides = " (" + ", ".join(side.name for side in first.sides) + ")" if first.sides else ""
    return f"{_capital(name)}, {first.sides[0].unit if sides else first.unit}{sides}{bar}"


def _cell(one: Summary, *, has_own_bar: bool) -> str:
    sides = ", ".join(rounded(side.value) for side in one.sides)
    bar = f"; {one.bar}" if has_own_bar and one.bar else ""
    value = f"{rounded(one.value)} × ({sides})" if sides else rounded(one.value)
    return f"{value}{bar}{'' if one.is_met else _MISSED}"


def _laws(curves: Sequence[Curve]) -> Iterator[str]:
    yield "| | Costs | Grows as | At most |"
    yield "|---|---|---|---|"
    for one in curves:
        costs = ", ".join(rounded(one.costs[size]) for size in one.sizes)
        sizes = ", ".join(f"{size:,}" for size in one.sizes)
        bar = "" if one.bar is None else f", {one.bar:g} {one.unit}"
        missed = "" if one.is_good else _MISSED
        law = f"n^{shown_exponent(one)}"
        most = f"n^{one.most_exponent:g}{bar}{missed}"
        yield _row(one.name, f"{costs} {one.unit} at {sizes} {one.of}", law, most)


def shown_exponent(curve: Curve) -> str:
    """To two digits, and without a sign where that is nothing."""
    return f"{round(curve.exponent, 2) + 0.0:.2f}"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.strip() for cell in cells)} |"


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _about(runs: Sequence[RecordedRun]) -> str:
    commits = " and ".join(dict.fromkeys(run.commit for run in runs))
    days = " and ".join(sorted({f"{run.began_at:%Y-%m-%d}" for run in runs}))
    count = "One run" if len(runs) == 1 else f"{len(runs)} runs"
    seconds = sum(run.took_s for run in runs) / len(runs)
    loads = ", ".join(f"{run.load_before:g}" for run in runs)
    return (
        f"{count} of {seconds:.0f} s at commit {commits}, {days}; "
        f"load average of the machine before: {loads}."
    )
