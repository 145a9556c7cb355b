"""What is made of several runs of a benchmark."""

from collections.abc import Sequence
from datetime import UTC, datetime

from tests.benchmarks.figure import Bar, Figure, Side, at_most, ratio
from tests.benchmarks.growth.curve import Curve
from tests.benchmarks.recorded_run import Machine, RecordedRun
from tests.benchmarks.report import medians
from tests.benchmarks.report.results import Results

MACHINE = Machine(2, "any", 4.0, "6.1", "3.11.7", "valkey-server 9.1.2", {})


def run(figures: Sequence[Figure] = (), curves: Sequence[Curve] = ()) -> RecordedRun:
    moment = datetime(2026, 11, 28, tzinfo=UTC)
    return RecordedRun("lone", moment, 1.0, "abc", 0.1, MACHINE, list(figures), list(curves))


def test_a_median_is_judged_and_not_each_run() -> None:
    (found,) = medians.summaries([run([at_most("cost", cost, 10)]) for cost in (9.0, 30.0, 8.0)])

    assert (found.value, found.is_met, found.values) == (9.0, True, (9.0, 30.0, 8.0))


def test_sides_of_a_ratio_have_medians_of_their_own() -> None:
    sides = [(1.0, 2.0), (2.0, 8.0), (3.0, 3.0)]

    (found,) = medians.summaries(
        [
            run([ratio("cost", Side("ours", ours, "µs"), Side("theirs", theirs, "µs"), Bar(0.4))])
            for ours, theirs in sides
        ]
    )

    assert (found.value, [side.value for side in found.sides]) == (0.5, [2.0, 3.0])
    assert not found.is_met


def test_figures_of_several_that_are_alike_are_kept_apart() -> None:
    runs = [run([at_most("cost", 1, 9, of="DuckDB"), at_most("cost", 5, 9, of="PostgreSQL")])] * 3

    assert [(one.of, one.value) for one in medians.summaries(runs)] == [
        ("DuckDB", 1),
        ("PostgreSQL", 5),
    ]


def test_a_run_that_lacks_a_figure_is_left_out_for_it() -> None:
    (found,) = medians.summaries([run(), run([at_most("cost", 3, 10)])])

    assert found.values == (3,)


def test_a_curve_has_the_median_at_each_size() -> None:
    costs: list[dict[int, float]] = [{1: 1.0, 10: 10.0}, {1: 1.0, 10: 1.0}, {1: 3.0, 10: 2.0}]

    (found,) = medians.curves(
        [
            run(curves=[Curve(name="look", of="rows", unit="s", costs=one, most_exponent=1)])
            for one in costs
        ]
    )

    assert found.costs == {1: 1.0, 10: 2.0}


def test_runs_are_found_by_their_benchmark() -> None:
    assert Results([run()]).of("lone") == [run()]
    assert Results([run()]).of("audit") == []
