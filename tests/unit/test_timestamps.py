from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import timestamps

MOMENT = datetime(2025, 12, 18, 8, 18, 53, 412_999, tzinfo=UTC)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def test_a_moment_is_written_in_utc_and_what_is_finer_is_cut_off() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=3)))

    assert timestamps.seconds_of(there) == "2025-12-18T08:18:53Z"
    assert timestamps.milliseconds_of(there) == "2025-12-18T08:18:53.412Z"
    assert timestamps.seconds(MOMENT.timestamp()) == "2025-12-18T08:18:53Z"
    assert timestamps.milliseconds(1_766_045_933_412) == "2025-12-18T08:18:53.412Z"


@given(st.integers(0, 253_402_300_799_999))
def test_numbers_and_moments_are_written_alike_and_read_back(unix_ms: int) -> None:
    moment = datetime.fromtimestamp(unix_ms // 1000, UTC) + timedelta(milliseconds=unix_ms % 1000)
    text = timestamps.milliseconds(unix_ms)

    assert timestamps.milliseconds_of(moment) == text
    assert timestamps.seconds(unix_ms // 1000) == timestamps.seconds_of(moment)
    assert timestamps.moment_of(text) == moment


@given(st.builds(datetime.fromtimestamp, st.floats(-62e9, 253e9), ZONES))
def test_texts_are_in_the_order_of_their_moments(moment: datetime) -> None:
    later = moment + timedelta(seconds=1)

    assert timestamps.seconds_of(moment) < timestamps.seconds_of(later)
    assert timestamps.moment_of(timestamps.seconds_of(moment)) <= moment


@pytest.mark.parametrize("text", ["2025-12-18T08:18:53Z", "2025-12-18T11:18:53+03:00"])
def test_any_offset_is_read(text: str) -> None:
    assert timestamps.moment_of(text) == MOMENT.replace(microsecond=0)


@pytest.mark.parametrize("text", ["2025-12-18T08:18:53", "2025-12-18", "", "yesterday", "5"])
def test_what_says_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - half of them are told by the standard library
        timestamps.moment_of(text)


@pytest.mark.parametrize("unix_s", [10**12, -(10**12), 10**30, float("inf"), float("nan")])
def test_what_is_no_year_of_four_digits_is_refused(unix_s: float) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        timestamps.seconds(unix_s)


def test_a_moment_whose_day_in_utc_is_out_of_range_is_refused() -> None:
    west = timezone(timedelta(hours=-1))

    with pytest.raises(ValueError, match="no date in UTC"):
        timestamps.seconds_of(datetime(9999, 12, 31, 23, 30, tzinfo=west))
