from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.timing import QuietHours, Timing
from gateway.errors import OperatorError
from gateway.settings import RouteSettings

BERLIN = ZoneInfo("Europe/Berlin")


def ms(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1000)


def clock(at_ms: int, zone: ZoneInfo = BERLIN) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%d %H:%M:%S")


def test_a_notice_is_due_at_the_end_of_its_window() -> None:
    assert Timing(window_ms=10_000).due_ms(5_000) == 15_000


@pytest.mark.parametrize(
    ("minutes", "since", "due"),
    [
        (15, "2026-01-05T10:00:01", "05 10:15:00"),
        (15, "2026-01-05T10:15:00", "05 10:15:00"),
        (15, "2026-01-05T10:14:59", "05 10:15:00"),
        (60, "2026-01-05T23:59:59", "06 00:00:00"),
        (1440, "2026-01-05T00:00:01", "06 00:00:00"),
        # The days when clocks change have 23 and 25 hours.
        (1440, "2026-03-29T12:00:00", "30 00:00:00"),
        (1440, "2026-10-25T12:00:00", "26 00:00:00"),
    ],
)
def test_a_digest_is_due_at_multiples_of_its_minutes_since_midnight(
    minutes: int, since: str, due: str
) -> None:
    assert clock(Timing(digest_minutes=minutes, zone=BERLIN).due_ms(ms(since))) == due


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("22:00-07:00", "2026-01-05T21:59:59", None),
        ("22:00-07:00", "2026-01-05T22:00:00", "06 07:00:00"),
        ("22:00-07:00", "2026-01-06T03:00:00", "06 07:00:00"),
        ("22:00-07:00", "2026-01-06T07:00:00", None),
        ("12:00-13:30", "2026-01-05T12:45:00", "05 13:30:00"),
        ("12:00-13:30", "2026-01-05T13:30:00", None),
        ("22:00-07:00", "2026-03-28T23:00:00", "29 07:00:00"),
        ("22:00-07:00", "2026-10-24T23:00:00", "25 07:00:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(hours: str, now: str, until: str | None) -> None:
    timing = Timing(quiet=QuietHours.of(hours), zone=BERLIN)

    found = timing.quiet_until_ms(ms(now))

    assert (None if found is None else clock(found)) == until


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        # The clock shows 02:00 to 03:00 twice; both times the hours end at half past.
        ("22:00-02:30", "Europe/Berlin", "2026-10-25T00:15:00Z", "2026-10-25T00:30:00Z"),
        ("22:00-02:30", "Europe/Berlin", "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"),
        ("22:00-01:30", "Europe/London", "2026-10-25T01:29:59Z", "2026-10-25T01:30:00Z"),
        ("22:00-01:30", "America/New_York", "2026-11-01T06:00:00Z", "2026-11-01T06:30:00Z"),
        ("22:00-00:30", "America/Havana", "2025-11-02T05:10:00Z", "2025-11-02T05:30:00Z"),
        # It leaves 02:00 to 03:00 out, and Havana the first hour of the day.
        ("22:00-02:30", "Europe/Berlin", "2026-03-29T00:10:00Z", "2026-03-29T01:00:00Z"),
        ("22:00-00:30", "America/Havana", "2025-03-09T04:10:00Z", "2025-03-09T05:00:00Z"),
    ],
)
def test_quiet_hours_end_in_the_hours_that_clocks_repeat_or_leave_out(
    hours: str, zone: str, now: str, until: str
) -> None:
    timing = Timing(quiet=QuietHours.of(hours), zone=ZoneInfo(zone))

    found = timing.quiet_until_ms(ms(now, ZoneInfo("UTC")))

    assert found is not None
    assert clock(found, ZoneInfo("UTC")) == clock(ms(until, ZoneInfo("UTC")), ZoneInfo("UTC"))


_ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "UTC")


@given(
    st.times(),
    st.times(),
    st.sampled_from(_ZONES),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),  # noqa: DTZ001 - UTC is given below
)
def test_quiet_hours_never_end_before_now(begin: time, end: time, zone: str, now: datetime) -> None:
    timing = Timing(quiet=QuietHours(begin, end), zone=ZoneInfo(zone))
    now_ms = round(now.replace(tzinfo=UTC).timestamp() * 1000)

    until = timing.quiet_until_ms(now_ms)

    assert until is None or until > now_ms


def test_the_hour_of_the_cap_is_that_of_the_routes_clock() -> None:
    india = ZoneInfo("Asia/Kolkata")

    begin, end = Timing(zone=india).hour_ms(ms("2026-01-05T10:29:59.5", india))

    assert (clock(begin, india), clock(end, india)) == ("05 10:00:00", "05 11:00:00")
    assert begin == round(datetime(2026, 1, 5, 4, 30, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("route", "key"),
    [
        (RouteSettings(urls=("json://x",), time_zone="Mars/Base"), "time_zone"),
        (RouteSettings(urls=("json://x",), quiet_hours="25:00-07:00"), "quiet_hours"),
        (RouteSettings(urls=("json://x",), quiet_hours="07:00-07:00"), "quiet_hours"),
    ],
    ids=["zone", "hour", "no time"],
)
def test_times_that_cannot_be_are_named(route: RouteSettings, key: str) -> None:
    with pytest.raises(OperatorError, match=f"sales {key}: "):
        Timing.of(route, name="sales")
