"""Of many subjects a gauge shows the few that stand out."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from gateway.ranked_gauge import RankedGauge


@pytest.fixture(params=[False, True], ids=["largest", "smallest"])
def gauge(request: pytest.FixtureRequest) -> Iterator[RankedGauge]:
    gauge = RankedGauge(f"x_{uuid4().hex}", "What.", most=3, smallest=request.param)
    yield gauge
    REGISTRY.unregister(gauge)


def shown(gauge: RankedGauge) -> dict[str, float]:
    (family,) = gauge.collect()
    return {sample.labels["member_id"]: sample.value for sample in family.samples}


def test_the_few_that_stand_out_are_shown(gauge: RankedGauge) -> None:
    for number in range(1000):
        gauge.set(f"m{number}", value=number)

    assert shown(gauge) in (
        {"m999": 999, "m998": 998, "m997": 997},
        {"m0": 0, "m1": 1, "m2": 2},
    )


def test_one_that_ends_leaves_its_place_to_the_next(gauge: RankedGauge) -> None:
    gauge.replace({"gone": 9, "a": 1, "b": 2, "c": 3})
    gauge.end("gone")
    gauge.end("never there")

    assert shown(gauge) == {"a": 1, "b": 2, "c": 3}
