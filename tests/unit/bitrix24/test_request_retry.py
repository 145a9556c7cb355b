"""When a request is sent again by itself."""

import pytest

from gateway.bitrix24.errors import MaybeDone, Unavailable
from gateway.bitrix24.request_retry import MAX_FAILURES, may_repeat, pause_s


def test_what_may_have_been_done_is_repeated_only_if_it_does_no_harm() -> None:
    assert not may_repeat(MaybeDone(""), failures=1, is_repeatable=False)
    assert may_repeat(MaybeDone(""), failures=1, is_repeatable=True)
    assert may_repeat(Unavailable(""), failures=1, is_repeatable=False)


def test_repeating_ends() -> None:
    assert not may_repeat(Unavailable(""), failures=MAX_FAILURES, is_repeatable=True)


@pytest.mark.parametrize(("failures", "middle_s"), [(1, 0.5), (2, 1.0), (4, 4.0), (1000, 20.0)])
def test_pauses_double_up_to_a_limit(failures: int, middle_s: float) -> None:
    for _ in range(50):
        assert 0.75 * middle_s <= pause_s(failures, first_s=0.5) <= 1.25 * middle_s
