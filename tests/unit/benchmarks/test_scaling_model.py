"""The model of what events cost: it finds the law behind figures, and sizes installations by it."""

import pytest
from msgspec.structs import replace

from tests.benchmarks.scaling.measurement import Measured, Shape
from tests.benchmarks.scaling.model import (
    GENERATOR,
    KINDS,
    Cost,
    CostModel,
    Point,
    fitted,
    model_of,
    predicted_knee,
    predictions,
)
from tests.benchmarks.scaling.sizing import ASKED, AskingCost, Assumptions, Wanted, sized

LAW = Cost(shared_us=40.0, alone_us=500.0, gather_s=0.003)
RATES = (25.0, 100.0, 800.0, 3_000.0)
MODEL = CostModel(dict.fromkeys((*KINDS, GENERATOR), LAW), densest=1e9)
NOTHING_BESIDE = Assumptions(
    event_bytes=2_000.0, leader_cores=2.5e-5, asking=AskingCost(event_us=0.0, call_us=0.0)
)


def measured(shape: Shape, rate: float, *, by: float = 1.0) -> Measured:
    """A round that follows the law, but for a factor."""
    cpu_us = {kind: by * LAW.at_density(rate) for kind in (*KINDS, GENERATOR)}
    return Measured(
        shape=shape,
        rate=rate,
        events=1,
        p50_ms=1.0,
        p99_ms=1.0,
        cpu_us=cpu_us,
        redis_memory=2_000.0,
        redis_in=1.0,
        redis_out=1.0,
        redis_commands=1.0,
    )


def test_the_law_behind_figures_is_found() -> None:
    law = replace(LAW, spread=0.5)

    found = fitted([Point(rate, n, law.of(rate, n)) for rate in RATES for n in (1, 4)])

    assert found.spread == 0.5
    for rate in (10.0, 300.0, 10_000.0):
        assert found.of(rate, 2) == pytest.approx(law.of(rate, 2), rel=0.05)


def test_what_does_not_depend_on_density_is_flat() -> None:
    found = fitted([Point(rate, 1, 30.0) for rate in RATES])

    assert found.at_density(1.0) == pytest.approx(30.0, rel=0.01)
    assert found.at_density(1e6) == pytest.approx(30.0, rel=0.01)


def test_no_part_of_a_cost_is_below_nothing() -> None:
    found = fitted([Point(10.0, 1, 20.0), Point(100.0, 1, 30.0), Point(1_000.0, 1, 50.0)])

    assert min(found.shared_us, found.alone_us) >= 0


def test_what_was_not_measured_cannot_be_fitted() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        fitted([])


def test_the_model_is_held_to_shapes_that_it_has_not_seen() -> None:
    seen = [measured(Shape(p, w), rate) for p in (1, 4) for w in (1, 4) for rate in RATES]
    unseen = [measured(Shape(2, 2), rate, by=2.0) for rate in RATES]

    checked = predictions(model_of([*seen, *unseen]), [*seen, *unseen])

    assert {one.shape for one in checked} == {Shape(2, 2)}
    assert len(checked) == len(KINDS) * len(RATES)
    assert all(one.error == pytest.approx(-0.5, abs=0.05) for one in checked)


def test_rounds_count_by_their_median() -> None:
    rounds = [
        measured(Shape(p, w), rate, by=by)
        for p in (1, 4)
        for w in (1, 4)
        for rate in RATES
        for by in (1.0, 1.0, 9.0)
    ]

    assert model_of(rounds).us("audit", 100, Shape(1, 1)) == pytest.approx(
        LAW.at_density(100), rel=0.05
    )


def test_a_machine_bends_where_all_together_fill_it() -> None:
    knee = predicted_knee(MODEL, 2)

    taken = sum(MODEL.cores(kind, knee, Shape(1, 1)) for kind in (*KINDS, GENERATOR))
    assert taken == pytest.approx(2, rel=0.01)


def test_a_small_load_takes_one_of_each() -> None:
    found = sized(MODEL, Wanted(10, 10), NOTHING_BESIDE)

    assert (found.installations, found.receivers, found.partitions, found.redis_nodes) == (1,) * 4
    assert set(found.consumers.values()) == {1}


def test_nothing_is_filled_beyond_what_it_may_be() -> None:
    for rate in (10, 1_000, 30_000, 100_000):
        for portals in (10, 1_000, 100_000):
            found = sized(MODEL, Wanted(rate, portals), NOTHING_BESIDE)

            assert found.partitions >= max(found.redis_nodes, *found.consumers.values())
            full = {
                name: fill
                for name, fill in found.fills.items()
                if name not in {"partitions", ASKED}
            }
            assert max(full.values()) <= NOTHING_BESIDE.fill * 1.001, (rate, portals, full)


def test_more_load_never_takes_less() -> None:
    sizes = [sized(MODEL, Wanted(rate, 1_000), NOTHING_BESIDE) for rate in (10, 1_000, 100_000)]

    assert [one.receivers for one in sizes] == sorted(one.receivers for one in sizes)
    assert [one.redis_nodes for one in sizes] == sorted(one.redis_nodes for one in sizes)


def test_one_leader_limits_the_portals_of_an_installation() -> None:
    found = sized(MODEL, Wanted(10, 100_000), NOTHING_BESIDE)

    assert found.installations == 5  # 2.5 cores at 0.6 of one for each
    assert found.next == "the leader of reconcile"


def test_memory_asks_for_nodes_that_the_processor_does_not_need() -> None:
    found = sized(MODEL, Wanted(1_000, 100), NOTHING_BESIDE)

    assert (found.redis_for_cpu, found.redis_for_memory) == (1, 5)
    assert found.redis_nodes == 5


def test_asking_costs_a_call_for_each_event_of_a_quiet_portal() -> None:
    asking = AskingCost(event_us=100.0, call_us=500.0)

    assert asking.us(0.1) == 600.0
    assert asking.us(20.0) == 150.0
    assert asking.us(10_000.0) == 110.0


def test_nothing_is_cheaper_than_at_the_densest_that_was_measured() -> None:
    measured_to = CostModel(MODEL.costs, densest=1_000.0)

    found = sized(measured_to, Wanted(100_000, 1_000), NOTHING_BESIDE)

    assert found.cores["receiver"] == pytest.approx(0.1 * LAW.at_density(1_000), rel=0.01)


def test_portals_that_send_more_than_they_may_be_asked_are_told() -> None:
    assert sized(MODEL, Wanted(2_000, 10), NOTHING_BESIDE).fills[ASKED] == 2.0
