"""Portals that do not answer are asked rarely, and by one at a time."""

from gateway.reconciler.absences import Absences


def test_pauses_grow_to_a_quarter_of_an_hour_and_end_with_an_answer() -> None:
    absences, now, pauses = Absences(), 0.0, []
    assert absences.ask_in_s("m", now) == 0.0
    for _ in range(8):
        absences.failed("m", now)
        pauses.append(absences.ask_in_s("m", now))
        now += pauses[-1]
        assert absences.ask_in_s("m", now) == 0.0
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]

    absences.answered("m")
    assert "m" not in absences
    assert absences.ask_in_s("m", now) == 0.0


def test_one_asks_an_absent_portal_at_a_time_and_failures_at_once_are_one() -> None:
    absences = Absences()
    absences.failed("m", 0.0)
    absences.failed("m", 1.0)
    assert absences.ask_in_s("m", 0.0) == 30.0
    assert absences.ask_in_s("m", 30.0) == 0.0
    assert absences.ask_in_s("m", 30.0) == 5.0
    absences.left("m")
    assert absences.ask_in_s("m", 31.0) == 0.0
    assert absences.ask_in_s("other", 31.0) == 0.0
