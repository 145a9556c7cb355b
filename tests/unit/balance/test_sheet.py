"""The balance out of what was reported and counted."""

from msgspec.structs import replace

from gateway.balance.door_report import DoorReport, door_report
from gateway.balance.ledger import LedgerTotals
from gateway.balance.sheet import Balance, GroupSheet, Missing, door_sheet

NOW_MS = 1_800_000_000_000
TOTALS = LedgerTotals(
    accepted=100, refused={"spool_full": 4}, streamed=80, spooled=15, drained=10, unanswered=1
)
GROUP = GroupSheet(
    group="index",
    stream="events",
    added=90,
    given=90,
    handled=80,
    passed_over=3,
    dead=2,
    struck=1,
    erased=1,
    in_hand=3,
    since_ms=1,
)


def report(in_spool: int = 5, *, former: DoorReport | None = None, at_ms: int = 0) -> DoorReport:
    return door_report(
        TOTALS, in_spool, host="h", directory="/spool", now_ms=NOW_MS + at_ms, former=former
    )


def balance_of(*reports: DoorReport, published: int) -> Balance:
    numbered = {str(number): one for number, one in enumerate(reports)}
    door, missing = door_sheet(numbered, published=published, once=2, now_ms=NOW_MS)
    return Balance(at_ms=NOW_MS, door=door, groups=(), missing=tuple(missing))


def test_a_balance_closes_when_everything_is_somewhere() -> None:
    balance = balance_of(report(), report(), published=180)

    assert balance.open == 0
    assert balance.door.accepted == 200
    assert balance.door.refused == {"spool_full": 8}
    assert balance.door.in_spools == 10
    assert balance.door.silent == ()


def test_what_came_since_the_last_report_is_no_loss() -> None:
    assert balance_of(report(), published=95).open == 0


def test_a_spool_that_holds_less_than_was_put_in_is_open() -> None:
    (missing,) = balance_of(report(in_spool=2), published=90).missing

    assert (missing.where, missing.count) == ("spool /spool on h", 3)


def test_a_redis_that_counts_less_than_was_stored_is_open() -> None:
    (missing,) = balance_of(report(), published=83).missing

    assert (missing.where, missing.count) == ("redis", 7)


def test_since_when_a_spool_misses_something_is_kept_until_it_is_there_again() -> None:
    first = report(in_spool=2)
    second = report(in_spool=1, former=first, at_ms=5000)
    third = report(former=second, at_ms=10_000)
    fourth = report(in_spool=2, former=third, at_ms=15_000)

    since = [one.missing_since_ms for one in (first, second, third, fourth)]
    assert since == [NOW_MS, NOW_MS, 0, NOW_MS + 15_000]


def test_receivers_that_are_not_heard_are_named() -> None:
    assert balance_of(report(at_ms=-61_000), published=90).door.silent == ("/spool on h",)


def test_what_was_written_off_is_open_no_more_and_a_new_loss_is() -> None:
    lost = Missing(where="redis", count=7, written_off=7)
    assert lost.open == 0
    assert replace(lost, count=9).open == 2


def test_a_group_has_every_entry_somewhere_or_misses_it() -> None:
    assert GROUP.missing == 0
    assert replace(GROUP, handled=78).missing == 2
    assert replace(GROUP, given=None).missing is None
