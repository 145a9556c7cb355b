"""Marks between which an id stands, and those that are none of the stream."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import EntryId
from gateway.redis_access.entry_marks import Mark, around, evenly, marks_between

BEGIN, END = Mark(EntryId(100), 50), Mark(EntryId(300), 250)


def test_an_id_stands_between_two_marks_at_one_or_outside_of_all() -> None:
    middle = Mark(EntryId(200, 3), 60)
    marks = marks_between([middle], BEGIN, END)

    assert around(marks, EntryId(200, 3)) == (middle, middle)
    assert around(marks, EntryId(150)) == (BEGIN, middle)
    assert around(marks, EntryId(250)) == (middle, END)
    assert around(marks, EntryId(300)) == around(marks, EntryId(301)) == (END, END)
    assert around(marks, EntryId(1))[0] == BEGIN


def test_marks_of_what_was_trimmed_and_of_a_former_stream_are_passed_over() -> None:
    trimmed, former, fine = Mark(EntryId(99), 40), Mark(EntryId(200), 999), Mark(EntryId(201), 60)

    assert marks_between([trimmed, former, fine], BEGIN, END) == [BEGIN, fine, END]


@given(st.lists(st.integers(1, 500), min_size=2, unique=True), st.integers(0, 600))
def test_more_is_added_the_later_it_is(moments: list[int], at: int) -> None:
    marks = [Mark(EntryId(ms), 10 * number) for number, ms in enumerate(sorted(moments))]
    at = max(at, marks[0].id.ms)

    def added(ms: int) -> int:
        return evenly(*around(marks, EntryId(ms)), EntryId(ms))

    assert marks[0].added <= added(at) <= added(at + 1) <= marks[-1].added
