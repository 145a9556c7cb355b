"""What is made of samples: rates, quantiles, and gaps where nobody looked."""

import pytest

from gateway.history.last_hour import last_hour, quantile
from gateway.history.recorder import answers_between
from gateway.history.sample_ring import HOUR_MS, SLOT_MS, GroupSample, HistorySample

NOW_MS = 1_796_000_000_000
BOUNDS_S = (0.001, 0.01, 0.1)


def sample(ago: int, accepted: int, *, settled: int = 0, **more: object) -> HistorySample:
    group = GroupSample("index", "events", 7, 1, settled)
    return HistorySample(NOW_MS - ago * SLOT_MS, accepted, (group,), **more)  # type: ignore[arg-type]


def rates(*samples: HistorySample) -> list[float | None]:
    hour = last_hour(samples, now_ms=NOW_MS, bounds_s=BOUNDS_S)
    return [one.accepted_per_s for one in hour.points]


def test_rates_are_of_the_time_between_two_samples() -> None:
    hour = last_hour(
        [sample(2, 100, settled=40), sample(1, 400, settled=70), sample(0, 400, settled=70)],
        now_ms=NOW_MS,
        bounds_s=BOUNDS_S,
    )

    assert [one.accepted_per_s for one in hour.points] == [None, 10.0, 0.0]
    assert [one.groups[0].handled_per_s for one in hour.points] == [None, 1.0, 0.0]
    assert {(one.groups[0].waiting, one.groups[0].in_hand) for one in hour.points} == {(7, 1)}


def test_nothing_is_said_of_a_time_in_which_nobody_looked() -> None:
    assert rates(sample(9, 0), sample(8, 30), sample(4, 90_000), sample(3, 90_030)) == [
        None,
        1.0,
        None,
        1.0,
    ]


def test_a_count_that_begins_anew_is_no_negative_rate() -> None:
    assert rates(sample(1, 100), sample(0, 4)) == [None, 0.0]


def test_what_is_older_than_an_hour_counts_only_as_the_sample_before() -> None:
    slots = HOUR_MS // SLOT_MS
    assert rates(sample(slots + 1, 0), sample(slots, 30), sample(slots - 1, 60)) == [1.0]


def test_samples_of_a_clock_that_was_put_back_are_left_out() -> None:
    assert rates(sample(1, 0), sample(0, 30), sample(-5, 0)) == [None, 1.0]


@pytest.mark.parametrize(
    ("counts", "share", "expected"),
    [
        ((0, 0, 0, 0), 0.5, None),
        ((10, 0, 0, 0), 0.5, 0.0005),
        ((0, 10, 0, 0), 0.5, 0.0055),
        ((5, 5, 0, 0), 0.95, 0.0091),
        ((0, 0, 0, 3), 0.5, 0.1),  # longer than the last bound: no more is known
        ((), 0.5, None),
    ],
)
def test_quantiles_are_interpolated_within_their_bucket(
    counts: tuple[int, ...], share: float, expected: float | None
) -> None:
    assert quantile(counts, BOUNDS_S, share) == pytest.approx(expected)


def test_answers_of_several_processes_are_added_up_without_what_was_before() -> None:
    before = {"a": (5, 1), "gone": (9, 9)}
    now = {"a": (7, 1), "begun": (2, 4)}

    assert answers_between(before, now) == (4, 4)
    assert answers_between(now, {"a": (1, 0)}) == (0, 0)
    assert answers_between({}, {}) == ()
