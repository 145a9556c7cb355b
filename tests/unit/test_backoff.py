import random

import pytest

from gateway.backoff import Backoff


def test_delays_grow_up_to_a_limit() -> None:
    backoff = Backoff(first_s=1, factor=3, limit_s=30, jitter=0)

    delays = [backoff.delay_s(attempt) for attempt in range(1, 6)]

    assert delays == [1, 3, 9, 27, 30]


def test_a_delay_has_its_limit_however_often_something_failed() -> None:
    assert Backoff(factor=10, limit_s=7, jitter=0).delay_s(1_000_000) == 7


@pytest.mark.parametrize(("chance", "delay_s"), [(0.0, 6.0), (0.5, 8.0), (1.0, 10.0)])
def test_chance_takes_off_a_share_at_most(
    chance: float, delay_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "random", lambda: chance)

    assert Backoff(first_s=10, jitter=0.4).delay_s(1) == delay_s


@pytest.mark.parametrize(
    "numbers",
    [{"first_s": -1}, {"limit_s": -1}, {"factor": 0.5}, {"jitter": -0.1}, {"jitter": 1.1}],
)
def test_what_gives_no_growing_delays_is_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least 1|a share"):
        Backoff(**numbers)
