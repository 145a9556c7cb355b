"""When a portal is asked, and when nobody waits for it any more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.enricher.reach import Ask, PortalGivenUp, Reach, Reaches, Wait
from gateway.backoff import Backoff

EVEN = Backoff(first_s=8.0, limit_s=8.0)


def failing(*moments: float, retry_in_s: float | None = None) -> Reach:
    reach = Reach(600.0, EVEN)
    for now in moments:
        reach.failed("unreachable", asked_at=now, now=now, retry_in_s=retry_in_s)
    return reach


def test_what_never_failed_is_asked() -> None:
    assert Reach(600.0).stance(5.0) == Ask()
    assert Reaches[str](600.0).stance("portal", 5.0) == Ask()


def test_after_a_failure_comments_wait_and_then_it_is_asked_again() -> None:
    reach = failing(100.0)

    stance = reach.stance(101.0)

    assert isinstance(stance, Wait)
    assert 3.0 <= stance.seconds <= 7.0
    assert reach.stance(108.0) == Ask()


def test_what_the_portal_asks_for_is_waited_for() -> None:
    assert failing(100.0, retry_in_s=300.0).stance(100.0) == Wait(300.0, "unreachable")


def test_after_the_time_to_give_up_nobody_waits_and_it_is_asked_nonetheless() -> None:
    reach = failing(*range(100, 700, 4))

    reach.failed("limited", asked_at=700.0, now=700.0)

    assert reach.stance(701.0) == PortalGivenUp("limited")
    assert reach.stance(709.0) == Ask()


def test_waiting_ends_at_the_time_to_give_up() -> None:
    reach = failing(*range(100, 699, 2))

    stance = reach.stance(699.0)

    assert stance == Wait(1.0, "unreachable")
    assert reach.stance(700.0) == PortalGivenUp("unreachable")


def test_time_in_which_nobody_asks_is_no_time_of_waiting() -> None:
    """As when an operator has paused the portal for a day."""
    reach = failing(*range(100, 500, 4))

    reach.failed("unreachable", asked_at=86_500.0, now=86_500.0)
    assert isinstance(reach.stance(86_501.0), Wait)
    for now in range(86_504, 86_700, 4):
        reach.failed("unreachable", asked_at=now, now=now)

    assert reach.stance(86_711.0) == Ask()
    reach.failed("unreachable", asked_at=86_712.0, now=86_712.0)
    assert reach.stance(86_713.0) == PortalGivenUp("unreachable")


def test_calls_under_way_at_the_same_time_fail_once() -> None:
    reach = Reach(600.0)
    for _ in range(10):
        reach.failed("unreachable", asked_at=99.0, now=100.0)

    stance = reach.stance(100.0)

    assert isinstance(stance, Wait)
    assert stance.seconds <= 1.0


def test_an_answer_ends_all_of_it() -> None:
    reaches = Reaches[str](600.0)
    for key in ("a", "a", "b"):
        reaches.failed(key, "moved", asked_at=1.0, now=1.0, retry_in_s=None)

    assert (reaches.answered("a"), reaches.answered("a"), len(reaches)) == (True, False, 1)
    assert reaches.stance("a", 1.0) == Ask()
    assert isinstance(reaches.stance("b", 1.0), Wait)


@given(
    st.lists(st.floats(min_value=0.1, max_value=300.0), min_size=1, max_size=40),
    st.sampled_from([None, 0.0, 5.0, 600.0]),
)
def test_nothing_waits_beyond_the_time_to_give_up(
    pauses: list[float], retry_in_s: float | None
) -> None:
    now, reach = 0.0, Reach(600.0)
    reach.failed("limited", asked_at=now, now=now, retry_in_s=retry_in_s)
    for pause_s in pauses:
        stance = reach.stance(now)
        # Whoever waits comes back when it is time, or is there earlier, with something new.
        now += min(pause_s, stance.seconds) if isinstance(stance, Wait) else 0.0
        match reach.stance(now):
            case Wait(seconds):
                assert seconds > 0
                assert now + seconds <= 600.0 + 1e-6
            case PortalGivenUp(reason):
                assert (now >= 600.0, reason) == (True, "limited")
            case Ask():
                reach.failed("limited", asked_at=now, now=now, retry_in_s=retry_in_s)


@pytest.mark.parametrize("failures", [1, 5, 50])
def test_pauses_grow_to_a_minute_at_most(failures: int) -> None:
    reach, now = Reach(1e9), 0.0
    for _ in range(failures):
        reach.failed("unreachable", asked_at=now, now=now)
        stance = reach.stance(now)
        assert isinstance(stance, Wait)
        assert stance.seconds <= 60.0
        now += stance.seconds
