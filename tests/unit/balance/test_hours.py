"""What came of a day, by the balances of its hours."""

from datetime import UTC, date, datetime

from gateway.balance.hours import HourRecord, day_balance, hour_of
from gateway.balance.sheet import Balance, DoorSheet, Missing

DAY = date(2026, 1, 31)
DURING = datetime(2026, 1, 31, 5, 1, tzinfo=UTC)
BEHIND = datetime(2026, 2, 1, 0, 10, tzinfo=UTC)


def record(number: int, *, missing: int = 0, written_off: int = 0) -> HourRecord:
    door = DoorSheet(
        accepted=100 * number,
        published=99 * number,
        in_spools=number,
        refused={"spool_full": number // 2},
        unanswered=0,
        under_way=2 * number,
        once=number,
    )
    lost = (Missing(where="redis", count=missing, written_off=written_off),) if missing else ()
    balance = Balance(at_ms=number, door=door, groups=(), missing=lost)
    return HourRecord(event_id=f"event-{number}", balance=balance)


def test_a_day_is_the_difference_of_its_ends() -> None:
    records = {
        "2026-01-30T23": record(10),
        "2026-01-31T00": record(11),
        "2026-01-31T01": record(12),
    }

    found = day_balance(records, DAY, now=DURING)

    assert found is not None
    assert (found.accepted, found.published, found.once) == (200, 198, 2)
    assert found.refused == {"spool_full": 1}
    assert (found.in_spools_before, found.in_spools_after) == (10, 12)
    assert (found.under_way_before, found.under_way_after) == (20, 24)
    assert found.closes
    assert found.missing_hours == ()
    assert list(found.records.values()) == ["event-10", "event-11", "event-12"]


def test_a_day_is_under_way_until_its_last_record_or_until_that_is_overdue() -> None:
    begun = {"2026-01-31T00": record(1), "2026-01-31T01": record(2)}
    ended = {**begun, "2026-01-31T23": record(3)}
    at_midnight = datetime(2026, 2, 1, 0, 1, tzinfo=UTC)

    standings = [
        day_balance(begun, DAY, now=DURING),
        day_balance(begun, DAY, now=at_midnight),
        day_balance(ended, DAY, now=at_midnight),
        day_balance(begun, DAY, now=BEHIND),
    ]

    assert [one and one.is_over for one in standings] == [False, False, True, True]


def test_an_hour_without_a_record_is_named() -> None:
    records = {"2026-01-31T01": record(1), "2026-01-31T04": record(4)}
    early = ("2026-01-30T23", "2026-01-31T00", "2026-01-31T02", "2026-01-31T03")

    found = day_balance(records, DAY, now=DURING)
    assert found is not None
    assert found.missing_hours == early

    found = day_balance(records, DAY, now=BEHIND)
    assert found is not None
    assert found.missing_hours == (*early, *(f"2026-01-31T{hour:02}" for hour in range(5, 24)))


def test_a_day_that_misses_something_does_not_close() -> None:
    records = {"2026-01-31T01": record(1), "2026-01-31T02": record(2, missing=3)}

    found = day_balance(records, DAY, now=DURING)

    assert found is not None
    assert (found.open, found.written_off) == (3, 0)
    assert not found.closes


def test_a_day_says_what_was_written_off_in_it() -> None:
    records = {
        "2026-01-31T01": record(1),
        "2026-01-31T02": record(2, missing=3, written_off=3),
    }

    found = day_balance(records, DAY, now=DURING)

    assert found is not None
    assert (found.open, found.written_off, found.closes) == (0, 3, True)


def test_one_record_says_nothing_of_a_day() -> None:
    assert day_balance({"2026-01-31T01": record(1)}, DAY, now=BEHIND) is None
    assert hour_of(datetime(2026, 1, 31, 1, 59, tzinfo=UTC)) == "2026-01-31T01"
