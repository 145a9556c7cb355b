"""Judges whether a portal has fallen silent: it worked, and then it stopped. Pure.

Silence is measured by how surprising it is: every slot in which nothing came adds -ln of its
probability under the portal's rhythm. A night adds next to nothing, a Monday morning a lot. It is
alarming when the whole silence is less probable than the settings say, and also much more
surprising than any from which the portal came back lately: people come in crowds and go to meetings
together, so real traffic pauses more often than independent slots would.
"""

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.portal_health.usual_rate import UsualRate, learnt, surprise_of
from gateway.settings import ReconcileSettings
from gateway.traffic.portal_traffic import SLOT_S, Slot, slot_at

__all__ = ["SilenceRules", "SilenceState", "by_now", "first_heard", "heard", "limit_of"]

_TIMES_USUAL: Final = 2.0
_MAX_TIMES: Final = 4.0
# A real outage is a long silence too. It may make the watch less strict, but not blind.
_ANSWER_S: Final = 120.0
# How long a test event may take: Bitrix24 promises nothing, and its queue is seldom that late.
_FADE: Final = 0.5 ** (SLOT_S / (6 * 7 * 24 * 3600))
# Of what is remembered of past silences: half in six weeks, as of the rhythm.
_DIGITS: Final = 6


class SilenceRules(Struct, frozen=True, kw_only=True):
    """What the settings say: how surprising a silence must be at least, and how long; how long a
    portal must have been watched before; and whether it is asked first.
    """

    min_surprise: float
    min_silence_s: float
    min_watched_s: float
    asks: bool

    @classmethod
    def of(cls, settings: ReconcileSettings) -> "SilenceRules":
        """From `[reconcile]`."""
        return cls(
            min_surprise=-math.log(settings.silence_probability),
            min_silence_s=settings.silence_min_s,
            min_watched_s=settings.silence_learn_days * 86400,
            asks=settings.silence_asks,
        )


class SilenceState(Struct, frozen=True, kw_only=True):
    """What is known of one portal.

    `next_slot` is the first that is not learnt. Of the silence since the last slot with an event:
    `silent_s`, as far as receivers were there, and its `surprise`, both as of `next_slot`.
    `longest` is the most surprising silence that ended by itself, as far as it counts. `asked_at`
    is when the portal was to be asked for a test event because of the present one, and `alarm_at`
    when that was found alarming (Unix seconds).
    """

    next_slot: int
    rhythm: UsualRate = UsualRate()
    watched_s: float = 0.0
    silent_s: float = 0.0
    surprise: float = 0.0
    longest: float = 0.0
    asked_at: float | None = None
    alarm_at: float | None = None


def first_heard(now: float) -> SilenceState:
    """The beginning, for a portal of which nothing is known."""
    return SilenceState(next_slot=slot_at(now))


def by_now(state: SilenceState, now: float) -> SilenceState:
    """As it is; what a clock that was ahead has learnt is not waited for, and begins at `now`."""
    if state.next_slot <= slot_at(now) + 1:
        return state
    return replace(state, next_slot=slot_at(now), asked_at=None, alarm_at=None)


def limit_of(state: SilenceState, rules: SilenceRules) -> float:
    """How surprising a silence of this portal must be to be alarming."""
    return max(rules.min_surprise, _TIMES_USUAL * state.longest)


def heard(
    state: SilenceState, slots: Sequence[Slot], *, now: float, rules: SilenceRules
) -> SilenceState:
    """What is known after these slots, which begin at `next_slot` and may leave out some.

    Those that are over are learnt. The one that `now` is in is looked at only: whether the portal
    was heard in it, or is alarmingly silent by now. If the rules say so, it is then to be asked for
    a test event (whoever finds `asked_at` new does), and has two minutes to be heard.
    """
    for slot in slots:
        if slot.number >= slot_at(now):
            return _looked(state, slot, now=now, rules=rules)
        state = _learnt(state, slot, rules)
    return state


def _learnt(state: SilenceState, slot: Slot, rules: SilenceRules) -> SilenceState:
    """Whatever is silent while there is an alarm is no rhythm, so it is not learnt."""
    share = slot.watched_s / SLOT_S
    if slot.events:
        state = _ended(state, rules)
    elif state.alarm_at is not None or not share:
        return replace(state, next_slot=slot.number + 1)
    silence = _with(state, slot, share)
    return replace(
        state,
        next_slot=slot.number + 1,
        rhythm=learnt(state.rhythm, slot.number, events=slot.events, watched=share),
        watched_s=state.watched_s + slot.watched_s,
        silent_s=0.0 if slot.events else silence.silent_s,
        surprise=0.0 if slot.events else silence.surprise,
        longest=round(state.longest * _FADE, _DIGITS),
    )


def _looked(state: SilenceState, slot: Slot, *, now: float, rules: SilenceRules) -> SilenceState:
    if slot.events:
        return _ended(state, rules)
    if state.alarm_at is not None or state.watched_s < rules.min_watched_s:
        return state
    so_far_s = min(slot.watched_s, now - slot.number * SLOT_S)
    silence = _with(state, slot, so_far_s / SLOT_S)
    if silence.surprise <= limit_of(state, rules) or silence.silent_s < rules.min_silence_s:
        return state
    if rules.asks and state.asked_at is None:
        return replace(state, asked_at=now)
    has_had_time = not rules.asks or now - (state.asked_at or now) >= _ANSWER_S
    return replace(state, alarm_at=now) if has_had_time else state


def _with(state: SilenceState, slot: Slot, share: float) -> SilenceState:
    """The silence with this share of a slot added."""
    surprise = state.surprise + surprise_of(state.rhythm, slot.number, share)
    return replace(
        state, silent_s=state.silent_s + share * SLOT_S, surprise=round(surprise, _DIGITS)
    )


def _ended(state: SilenceState, rules: SilenceRules) -> SilenceState:
    """The silence is over; if the portal broke it unasked, how surprising it was is remembered."""
    most = _MAX_TIMES / _TIMES_USUAL * rules.min_surprise
    surprise = 0.0 if state.asked_at is not None else min(state.surprise, most)
    return replace(
        state,
        silent_s=0.0,
        surprise=0.0,
        longest=max(state.longest, surprise),
        asked_at=None,
        alarm_at=None,
    )
