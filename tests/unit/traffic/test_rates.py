"""Who sends unusually much: told once, by one process."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.traffic.rates import LocalTally, Tally, alarming


@pytest.mark.parametrize(
    ("added", "current", "limit", "told"),
    [
        (5, 10, 9, True),
        (5, 9, 9, False),
        (5, 10, 5, True),
        (5, 10, 4, False),  # it was over the limit before
        (5, 10, 0, False),  # no limit
        (0, 10, 5, False),
    ],
)
def test_whoever_brings_a_portal_over_the_limit_is_told(
    added: int, current: int, limit: int, *, told: bool
) -> None:
    tally = Tally({"m1": added}, {"m1": current, "m2": 99}, {})

    assert alarming(tally, limit) == (["m1"] if told else [])


@given(st.lists(st.integers(0, 40), max_size=30), st.integers(1, 200))
def test_of_all_who_count_exactly_one_is_told_in_a_minute(parts: list[int], limit: int) -> None:
    local = LocalTally()

    told = sum(len(alarming(local.add(7, {"m1": part}), limit)) for part in parts)

    assert told == (1 if sum(parts) > limit else 0)


def test_a_tally_knows_the_minute_before_and_forgets_older_ones() -> None:
    local = LocalTally()
    local.add(1, {"m1": 3})
    local.add(1, {"m1": 4})

    second = local.add(2, {"m2": 1})
    assert (second.current, second.previous) == ({"m2": 1}, {"m1": 7})
    assert local.add(4, {}).previous == {}
