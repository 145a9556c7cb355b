"""A cursor says where somebody is, on every partition, and nothing else is taken for one."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.feed.cursor import CursorAhead, Cursors, ReadPlace, UnusableCursor
from gateway.contract import EntryId

ALPHABET = string.ascii_letters + string.digits + "-_"
NUMBERS = st.integers(0, 2**64 - 1)
PLACES = st.builds(
    lambda ms, of_id, number: ReadPlace(EntryId(ms, of_id), number), NUMBERS, NUMBERS, NUMBERS
)


def place(ms: int, number_of_id: int = 0, number: int = 0) -> ReadPlace:
    return ReadPlace(EntryId(ms, number_of_id), number)


@given(st.lists(PLACES, min_size=1, max_size=70))
def test_a_cursor_is_read_as_it_was_written(places: list[ReadPlace]) -> None:
    cursors = Cursors("b24:comments", len(places))
    written = cursors.written(places)

    assert cursors.read(written) == tuple(places)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", written)


@given(st.text(alphabet=ALPHABET, max_size=60))
def test_what_somebody_has_made_up_is_refused(text: str) -> None:
    with pytest.raises(UnusableCursor):
        Cursors("b24:comments", 2).read(text)


@pytest.mark.parametrize("text", ["", "=", "A===", "ж", "a b", "A" * 20_000, "\x00", "AQ=="])
def test_what_is_not_even_of_its_letters_is_refused(text: str) -> None:
    with pytest.raises(UnusableCursor, match="none of this feed"):
        Cursors("b24:comments", 1).read(text)


def test_a_cursor_of_which_one_letter_is_another_is_refused() -> None:
    cursors = Cursors("b24:comments", 1)
    written = cursors.written([place(1_766_000_000_000, 3, 77)])

    for at, letter in enumerate(written):
        for other in ALPHABET:
            if other != letter:
                with pytest.raises(UnusableCursor):
                    cursors.read(written[:at] + other + written[at + 1 :])


def test_a_cursor_of_which_the_end_is_missing_is_refused() -> None:
    cursors = Cursors("b24:comments", 2)
    written = cursors.written([place(1_766_000_000_000, 3, 77), place(5)])

    for length in range(len(written)):
        with pytest.raises(UnusableCursor):
            cursors.read(written[:length])


def test_a_cursor_holds_when_there_are_further_partitions() -> None:
    places = (place(9, 0, 1), place(7, 1, 1))
    written = Cursors("b24:comments", 2).written(places)

    assert Cursors("b24:comments", 4).read(written) == (*places, place(0), place(0))


def test_a_cursor_of_partitions_that_are_not_known_yet_says_so() -> None:
    written = Cursors("b24:comments", 2).written([place(9, 0, 1), place(7, 1, 1)])

    with pytest.raises(CursorAhead, match="is of 2 partitions, and here 1 are known"):
        Cursors("b24:comments", 1).read(written)


def test_a_cursor_of_another_stream_is_refused() -> None:
    written = Cursors("b24:comments", 1).written([place(9, 0, 1)])

    with pytest.raises(UnusableCursor):
        Cursors("b24:events", 1).read(written)


def test_a_cursor_stays_short() -> None:
    now = 1_766_000_000_000
    one = Cursors("b24:comments", 1).written([place(now, 0, 1_000_000)])
    many = Cursors("b24:comments", 64).written(
        [place(now - 60_000 * number, 0, 1_000_000) for number in range(64)]
    )

    assert len(one) <= 25
    assert len(many) <= 25 + 64 * 12
