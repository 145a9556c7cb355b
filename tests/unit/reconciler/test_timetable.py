from gateway.portals.directory import Portal
from gateway.reconciler.duties import Duty, Timetable


async def nothing(_: Portal) -> None: ...


DRAIN = Duty(name="drain", every_s=300, carry_out=nothing)
SWEEP = Duty(name="sweep", every_s=900, carry_out=nothing)


def names(found: list[tuple[Duty, str, float]]) -> list[tuple[str, str]]:
    return [(duty.name, member_id) for duty, member_id, _since in found]


def test_a_new_portal_is_due_for_everything_at_once() -> None:
    table = Timetable([DRAIN, SWEEP])

    assert names(table.due(["a"], 0)) == [("drain", "a"), ("sweep", "a")]
    assert names(table.due(["a", "b"], 1)) == [("drain", "b"), ("sweep", "b")]


def test_each_duty_has_a_period_of_its_own() -> None:
    table = Timetable([DRAIN, SWEEP])
    for duty, member_id, _since in table.due(["a"], 0):
        table.done(duty, member_id)

    assert table.due(["a"], 299) == []
    assert names(table.due(["a"], 300)) == [("drain", "a")]


def test_what_is_due_says_since_when() -> None:
    table = Timetable([DRAIN])
    table.done(*table.due(["a"], 0)[0][:2])

    assert table.due(["a"], 400) == [(DRAIN, "a", 300)]


def test_what_is_under_way_is_not_begun_again() -> None:
    table = Timetable([DRAIN])
    table.due(["a"], 0)

    assert table.due(["a"], 1000) == []
    table.done(DRAIN, "a")
    assert names(table.due(["a"], 1000)) == [("drain", "a")]


def test_waking_makes_it_due_earlier_and_never_later() -> None:
    table = Timetable([DRAIN])
    table.due(["a"], 0)
    table.done(DRAIN, "a")

    table.wake("drain", "a", at=60)
    table.wake("drain", "a", at=120)

    assert table.due(["a"], 59) == []
    assert names(table.due(["a"], 60)) == [("drain", "a")]


def test_what_is_woken_while_it_is_under_way_is_done_again() -> None:
    table = Timetable([DRAIN])
    table.due(["a"], 0)
    table.wake("drain", "a", at=10)
    assert table.due(["a"], 10) == []

    table.done(DRAIN, "a")

    assert names(table.due(["a"], 10)) == [("drain", "a")]


def test_a_portal_that_was_removed_is_forgotten() -> None:
    table = Timetable([DRAIN])
    table.due(["a"], 0)
    table.done(DRAIN, "a")

    assert table.due([], 1) == []
    assert names(table.due(["a"], 2)) == [("drain", "a")]
