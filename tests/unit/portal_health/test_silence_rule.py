"""A silence is alarming when the portal usually is not silent then, and never otherwise.

The companies are simulated, from fixed seeds; property tests vary everything else.
"""

import math
from functools import cache
from itertools import pairwise
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gateway.portal_health import silence_rule as ears
from gateway.portal_health.silence_rule import SilenceRules, SilenceState
from gateway.portal_health.usual_rate import HOURS, UsualRate, chance, hour_of, usual_per_hour
from gateway.settings import ReconcileSettings
from gateway.traffic.portal_traffic import SLOT_S, Slot
from tests.unit.portal_health.town import (
    DAY,
    HOUR,
    MONDAY,
    RULES,
    WEEK,
    alarms,
    days_off,
    listened,
    office,
)

ASKS = replace(RULES, asks=True)


def nothing(_slot: int) -> int:
    return 0


@cache
def acquainted(per_hour: float = 40) -> SilenceState:
    """What is known of an office after four weeks, on a Monday at midnight."""
    _, known = alarms(listened(office(Random(1), per_hour=per_hour), slots=4 * WEEK))
    return known


def at_work(known: SilenceState, *, day: int, hour: int, per_hour: float = 40) -> SilenceState:
    """What is known when the office has worked on until that day and hour of the next week."""
    slots = day * DAY + hour * HOUR
    company = office(Random(2), per_hour=per_hour)
    _, known = alarms(listened(company, first=known.next_slot, slots=slots, state=known))
    return known


def told_after_h(known: SilenceState, *, slots: int = WEEK) -> list[float]:
    """When the alarms come if it stops there, in hours since then."""
    begun, _ = alarms(listened(nothing, first=known.next_slot, slots=slots, state=known, looks=10))
    return [(at - known.next_slot * SLOT_S) / 3600 for at in begun]


@pytest.mark.parametrize("per_hour", [1, 4, 20, 100])
def test_months_of_nights_weekends_and_a_change_of_clocks_raise_no_alarm(per_hour: float) -> None:
    company = office(Random(3), per_hour=per_hour, summer=MONDAY + 7 * WEEK)

    begun, _ = alarms(listened(company, slots=14 * WEEK))

    assert begun == []


@pytest.mark.parametrize("crowding", [2, 4])
def test_people_who_pause_together_raise_an_alarm_once_in_months_at_most(crowding: float) -> None:
    company = office(Random(4), per_hour=40, crowding=crowding)

    begun, _ = alarms(listened(company, slots=14 * WEEK))

    assert len(begun) <= 1


@pytest.mark.parametrize(("per_hour", "most_h"), [(100, 1), (20, 1.5), (4, 6), (1, 48)])
def test_a_portal_that_stops_on_a_working_day_is_told_once_the_sooner_the_busier_it_is(
    per_hour: float, most_h: float
) -> None:
    known = at_work(acquainted(per_hour), day=1, hour=10, per_hour=per_hour)

    (after_h,) = told_after_h(known)

    assert 0.5 <= after_h <= most_h


def test_a_portal_that_stops_on_friday_evening_is_told_on_monday_morning() -> None:
    known = at_work(acquainted(), day=4, hour=20)

    (after_h,) = told_after_h(known)

    assert 2 * 24 + 11 < after_h < 2 * 24 + 16  # 07:00 to 12:00 on Monday


def test_an_alarm_ends_with_the_first_event_and_a_second_one_begins_anew() -> None:
    known = acquainted()
    tuesday = known.next_slot + DAY + 10 * HOUR
    broken = days_off(
        days_off(office(Random(2), per_hour=40), first=tuesday, slots=5 * HOUR),
        first=tuesday + 2 * DAY,
        slots=5 * HOUR,
    )

    seen = [
        one.alarm_at is not None
        for one in listened(broken, first=known.next_slot, slots=5 * DAY, state=known)
    ]

    changes = [now for was, now in pairwise([False, *seen]) if was != now]
    assert changes == [True, False, True, False]


def test_a_portal_is_only_listened_to_in_its_first_week() -> None:
    slots = 4 * DAY + 12 * HOUR
    begun, known = alarms(listened(office(Random(1), per_hour=100), slots=slots))
    assert begun == []

    assert told_after_h(known, slots=2 * DAY) == []


def test_a_portal_that_never_sent_anything_never_raises_an_alarm() -> None:
    assert alarms(listened(nothing, slots=8 * WEEK, looks=1))[0] == []


def test_an_outage_of_all_receivers_is_not_the_portals_silence() -> None:
    known = at_work(acquainted(100), day=1, hour=10, per_hour=100)

    away = listened(nothing, first=known.next_slot, slots=3 * DAY, state=known, watched_s=0)

    assert alarms(away) == ([], replace(known, next_slot=known.next_slot + 3 * DAY))


def test_a_rhythm_outlives_a_long_silence_that_was_told() -> None:
    known = acquainted()

    begun, after = alarms(listened(nothing, first=known.next_slot, slots=10 * WEEK, state=known))

    assert len(begun) == 1
    monday_noon = hour_of(MONDAY + 11 * HOUR)
    assert chance(after.rhythm, monday_noon) > 0.9 * chance(known.rhythm, monday_noon)


def test_a_portal_that_often_pauses_is_given_more_time_but_not_for_ever() -> None:
    known = at_work(acquainted(), day=1, hour=9)

    (soon,) = told_after_h(known)
    (later,) = told_after_h(replace(known, longest=2 * RULES.min_surprise))

    assert 2 * soon < later < 6 * soon


def test_a_portal_that_can_be_asked_is_asked_first_and_told_two_minutes_later() -> None:
    known = at_work(acquainted(), day=1, hour=10)

    seen = list(
        listened(nothing, first=known.next_slot, slots=DAY, state=known, rules=ASKS, looks=20)
    )

    asked_at = next(one.asked_at for one in seen if one.asked_at is not None)
    alarm_at = next(one.alarm_at for one in seen if one.alarm_at is not None)
    assert alarm_at - asked_at == 120
    assert {one.asked_at for one in seen} == {None, asked_at}


def test_a_holiday_on_which_test_events_come_raises_no_alarm_and_teaches_no_patience() -> None:
    known = one = at_work(acquainted(), day=1, hour=0)
    asked = 0

    for number in range(known.next_slot, known.next_slot + DAY):
        events = 0
        for look_s in range(60, SLOT_S + 1, 60):
            slots = [Slot(number=number, events=events, watched_s=look_s)]
            one = ears.heard(one, slots, now=number * SLOT_S + look_s, rules=ASKS)
            assert one.alarm_at is None
            if one.asked_at is not None:  # the test event comes before the next look
                asked, events = asked + 1, 1

    assert 3 < asked < 12
    assert one.longest <= known.longest


slots_of_any_kind = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([0.0, 60.0, 600.0]), st.integers(0, 3)),
    max_size=300,
)
rules_of_any_kind = st.builds(
    SilenceRules,
    min_surprise=st.floats(0.1, 30),
    min_silence_s=st.floats(1, 7200),
    min_watched_s=st.floats(1, 86400),
    asks=st.booleans(),
)


@given(slots_of_any_kind, rules_of_any_kind)
def test_whatever_comes_no_alarm_is_raised_in_a_slot_with_events_and_the_state_stays_small(
    given_slots: list[tuple[int, float, int]], rules: SilenceRules
) -> None:
    number, state = 1000, ears.first_heard(1000 * SLOT_S)
    for events, watched_s, gap in given_slots:
        number += gap
        slot = Slot(number=number, events=events, watched_s=watched_s)
        state = ears.heard(state, [slot], now=(number + 0.9) * SLOT_S, rules=rules)
        if events:
            assert state.alarm_at is None
            assert state.asked_at is None
        else:
            assert state.alarm_at is None or state.watched_s >= rules.min_watched_s
        state = ears.heard(state, [slot], now=(number + 1) * SLOT_S, rules=rules)
        number += 1
        assert state.next_slot == number
        assert state.surprise >= 0
        assert 0 <= state.longest <= 2 * rules.min_surprise
    assert all(
        0 <= active <= watched + 1e-3
        for active, watched in zip(state.rhythm.active, state.rhythm.watched, strict=True)
    )
    assert len(msgspec.json.encode(state)) < 6000
    assert msgspec.json.decode(msgspec.json.encode(state), type=SilenceState) == state


def even_rhythm(share: float) -> UsualRate:
    """Something comes in this share of all slots, at all hours."""
    return UsualRate(watched=(600.0,) * HOURS, active=(600 * share,) * HOURS)


hours = st.lists(st.floats(0, 30), min_size=HOURS, max_size=HOURS).map(tuple)


@given(hours, hours, st.integers(0, HOURS - 1))
def test_nothing_is_certain_and_an_hour_is_no_likelier_than_the_hours_around_it(
    watched: tuple[float, ...], more: tuple[float, ...], hour: int
) -> None:
    active = tuple(map(min, watched, more))
    rhythm = UsualRate(watched=watched, active=active, events=more)

    found = chance(rhythm, hour)

    assert 0 <= found < 1
    around = [(hour + shift) % HOURS for shift in (-2, -1, 0)]
    most = sum(watched[one] for one in around)
    assert found * (most + 2) <= sum(active[one] for one in around) + 1e-6


@given(st.integers(0, 40 * WEEK), st.floats(0.05, 0.95))
def test_an_alarm_comes_when_the_silence_is_improbable_enough_however_often_one_looks(
    first: int, share: float
) -> None:
    known = SilenceState(next_slot=first, rhythm=even_rhythm(share), watched_s=1e9)
    needed = RULES.min_surprise / -math.log1p(-chance(known.rhythm, 0))
    slots = math.ceil(2 * needed) + 4  # what is learnt meanwhile makes it a little less surprising

    (often,), _ = alarms(listened(nothing, first=first, slots=slots, state=known, looks=10))
    (seldom,), _ = alarms(listened(nothing, first=first, slots=slots, state=known, looks=2))

    assert (often - first * SLOT_S) / SLOT_S >= min(needed, RULES.min_silence_s / SLOT_S)
    assert 0 <= seldom - often <= SLOT_S / 2


def test_what_is_usual_is_told_in_events_an_hour() -> None:
    known = acquainted()
    tuesday_10 = hour_of(MONDAY + DAY + 10 * HOUR)

    assert usual_per_hour(known.rhythm, tuesday_10) == pytest.approx(40, rel=0.35)
    assert usual_per_hour(UsualRate(), tuesday_10) is None


def test_the_settings_become_the_rules() -> None:
    rules = SilenceRules.of(
        ReconcileSettings(silence_probability=math.exp(-9), silence_learn_days=2)
    )

    assert rules.min_surprise == pytest.approx(9)
    assert rules.min_watched_s == 2 * 86400


def test_slots_that_were_missed_are_no_silence() -> None:
    known = acquainted(100)
    later = known.next_slot + 3 * DAY
    seen = [Slot(number=later, events=0, watched_s=600.0)]

    after = ears.heard(known, seen, now=(later + 0.99) * SLOT_S, rules=RULES)

    assert after.alarm_at is None


def test_what_a_clock_that_was_ahead_has_learnt_does_not_stop_the_watch() -> None:
    now = 2000.0 * SLOT_S + 60
    ahead = ears.SilenceState(
        next_slot=60_000, asked_at=now + 9e8, alarm_at=now + 9e8, watched_s=9.0
    )
    assert ears.by_now(ahead, now) == ears.SilenceState(next_slot=2000, watched_s=9.0)
    usual = ears.SilenceState(next_slot=2000, asked_at=now - 5)
    assert ears.by_now(usual, now) is usual
