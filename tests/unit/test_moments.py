from datetime import UTC, datetime, timedelta

import pytest

from gateway.moments import parse_moment, position_before

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "ago"),
    [
        ("90s", timedelta(seconds=90)),
        ("10m", timedelta(minutes=10)),
        ("1.5h", timedelta(hours=1.5)),
        (" 1 D ", timedelta(days=1)),
    ],
)
def test_a_time_ago_counts_back_from_now(text: str, ago: timedelta) -> None:
    assert parse_moment(text, now=NOW) == NOW - ago


def test_a_time_without_a_zone_is_utc() -> None:
    moment = datetime(2026, 1, 30, 9, 30, tzinfo=UTC)

    assert parse_moment("2026-01-30T09:30", now=NOW) == moment
    assert parse_moment("2026-01-30T10:30:00+01:00", now=NOW) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "10", "10w", "999999999999d"])
def test_anything_else_is_refused_by_its_text(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{text}: "):
        parse_moment(text, now=NOW)


def test_a_position_is_just_before_the_first_entry_of_its_millisecond() -> None:
    moment = datetime(2026, 1, 1, microsecond=5000, tzinfo=UTC)

    assert position_before(moment) == "1767225600004-18446744073709551615"
    assert position_before(datetime.fromtimestamp(0, UTC)) == "0-0"
