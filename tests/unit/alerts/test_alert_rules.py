"""What operators are alerted to, and from when on."""

from msgspec.structs import replace

from gateway.alerts.alert_rules import RepeatedLooks, conditions
from gateway.balance.sheet import Balance, DoorSheet, Missing
from gateway.contract import EventSelection, Pause
from gateway.contract.alerts import AlertData
from gateway.ops.group_standings import GroupStanding

DOOR = DoorSheet(
    accepted=9, published=9, in_spools=0, refused={}, unanswered=0, under_way=0, once=0
)
CLOSED = Balance(at_ms=1, door=DOOR, groups=(), missing=())
NOW = "2026-01-31T12:00:00.000Z"
WELL = GroupStanding(
    stream="events",
    partition=0,
    group="index",
    length=9,
    lag=2,
    pending=3,
    oldest_pending_s=100.0,
    oldest_waiting_s=50.0,
    redeliveries=0,
    dead_letters=0,
    owner="one",
    epoch=1,
    delivered_id="1-1",
)


def found(
    *groups: GroupStanding, balance: Balance = CLOSED, lasting: tuple[str, ...] = ()
) -> dict[str, AlertData]:
    return conditions(groups, balance, behind_s=900, lasting=lasting, now=NOW)


def test_what_is_well_alerts_nobody() -> None:
    assert found(WELL) == {}


def test_a_group_is_behind_by_its_oldest_entry_on_any_partition() -> None:
    late = replace(WELL, partition=1, oldest_waiting_s=901.0)

    (alert,) = found(WELL, late).values()

    assert (alert.alert, alert.group, alert.count, alert.oldest_s) == (
        "group_behind",
        "index",
        10,
        901,
    )


def test_it_is_behind_until_it_is_far_below_the_limit() -> None:
    better = replace(WELL, oldest_pending_s=460.0)
    name = "group_behind index events"

    assert found(better) == {}
    assert list(found(better, lasting=(name,))) == [name]
    assert found(replace(better, oldest_pending_s=440.0), lasting=(name,)) == {}


def test_a_group_that_is_paused_as_a_whole_is_not_behind() -> None:
    late = replace(WELL, oldest_pending_s=5000.0)
    pause = Pause(selection=EventSelection(), since=NOW)
    in_part = Pause(selection=EventSelection(portal="acme"), since=NOW)

    assert found(replace(late, pauses=(pause,))) == {}
    assert len(found(replace(late, pauses=(in_part,)))) == 1


def test_dead_letters_of_a_group_on_both_streams_are_one_alert() -> None:
    given_up = replace(WELL, dead_letters=4)

    (alert,) = found(given_up).values()

    assert (alert.alert, alert.group, alert.count) == ("dead_letters", "index", 4)


def test_a_balance_is_open_by_what_nobody_has_written_off() -> None:
    lost = Missing(where="redis", count=7, written_off=7)
    more = Missing(where="spool /spool on a", count=5, written_off=2)

    (alert,) = found(balance=replace(CLOSED, missing=(lost, more))).values()

    assert (alert.count, alert.where) == (3, ("3: spool /spool on a",))
    assert found(balance=replace(CLOSED, missing=(lost,))) == {}


def test_two_looks_in_a_row_make_a_beginning_and_an_end() -> None:
    looks = RepeatedLooks()

    assert looks.changes({"a"}, set()) == ([], [])
    assert looks.changes(set(), set()) == ([], [])
    assert looks.changes({"a"}, set()) == ([], [])
    assert looks.changes({"a", "b"}, set()) == (["a"], [])
    assert looks.changes({"a"}, {"a"}) == ([], [])
    assert looks.changes(set(), {"a"}) == ([], [])
    assert looks.changes(set(), {"a"}) == ([], ["a"])
