"""A trouble is told once when it begins and once when it is over, in whatever order it is noted."""

from itertools import count
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import PortalData, PortalEvent, Trouble, decode_event, encode_event
from gateway.portal_health.trouble_rules import Occasion, TroubleState, began, happened, over, told

NAMES: tuple[Trouble, ...] = get_args(Trouble)


def trouble(name: Trouble, **about: Any) -> PortalData:
    return PortalData(
        member_id="m1", domain="m1.example", trouble=name, since="2025-12-18T08:00:00Z", **about
    )


def at(number: int) -> Occasion:
    return Occasion(f"event-{number}", 1_766_059_200_000 + number * 1000)


notes = st.lists(
    st.tuples(st.sampled_from([began, over]), st.sampled_from(NAMES), st.booleans()), max_size=30
)


@given(notes)
def test_of_each_trouble_beginnings_and_ends_take_turns_and_none_is_told_twice(
    given_notes: list[tuple[Any, Trouble, bool]],
) -> None:
    state, events, numbers = TroubleState(), [], count()
    for note, name, is_told in given_notes:
        subject = trouble(name) if note is began else name
        state = note(state, subject, at(next(numbers)))
        assert (name in state.lasting) == (note is began)
        if is_told:
            events += state.untold
            state = told(state, [event.id for event in state.untold])
            assert state.untold == ()
    events += state.untold
    for name in NAMES:
        kinds = [
            event.type == "bitrix24.portal.recovered"
            for event in events
            if event.data.trouble == name
        ]
        assert kinds == [number % 2 == 1 for number in range(len(kinds))]
    assert len({event.id for event in events}) == len(events)
    assert msgspec.json.decode(msgspec.json.encode(state), type=TroubleState) == state


def test_an_end_says_how_long_it_lasted_and_nothing_of_the_rest() -> None:
    state = began(TroubleState(), trouble("unauthorized", reason="invalid_grant"), at(0))

    *_, end = over(state, "unauthorized", at(60)).untold

    assert end.data == trouble("unauthorized", until="2025-12-18T12:01:00Z")
    assert end.receivedat == "2025-12-18T12:01:00.000Z"


def test_what_was_mended_at_once_is_told_each_time_and_lasts_not() -> None:
    mended = trouble("unbound", missing=("ONCRMTIMELINECOMMENTADD",), is_mended=True)

    state = happened(happened(TroubleState(), mended, at(0)), mended, at(1))

    assert state.lasting == {}
    assert [event.data for event in state.untold] == [mended, mended]


def test_what_is_told_is_an_event_of_the_contract() -> None:
    (event,) = began(TroubleState(), trouble("silent", usual_per_hour=4.5), at(0)).untold

    again = decode_event(encode_event(event))

    assert isinstance(again, PortalEvent)
    assert again == event
    assert (again.type, again.subject) == ("bitrix24.portal.silent", "portal")
    assert again.source == "urn:bitrix24:m1"
