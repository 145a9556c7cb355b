"""Whether somebody misses entries who goes on from a place; against a stream that is a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.feed.cursor import ReadPlace
from consumers.feed.lost_entries import StreamEnds, why_lost
from gateway.contract import EntryId


class Stream:
    """A stream as the server keeps it: entries by number, and what it counts."""

    def __init__(self) -> None:
        self.numbers: list[int] = []
        self.added = 0
        self.max_deleted = 0

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.added += 1
            self.numbers.append(self.added)

    def trim(self, count: int) -> list[int]:
        gone, self.numbers = self.numbers[:count], self.numbers[count:]
        return gone

    def delete(self, number: int) -> None:
        self.numbers.remove(number)
        self.max_deleted = max(self.max_deleted, number)

    @property
    def ends(self) -> StreamEnds:
        return StreamEnds(
            first=EntryId(self.numbers[0]) if self.numbers else None,
            last=EntryId(self.added),
            max_deleted=EntryId(self.max_deleted),
            length=len(self.numbers),
            added=self.added,
        )

    def why_lost(self, number: int) -> str | None:
        place = ReadPlace(EntryId(number), number)
        return why_lost(place, self.ends, is_there=number in self.numbers)


@pytest.fixture
def stream() -> Stream:
    made = Stream()
    made.add(10)
    return made


@given(st.integers(0, 10), st.integers(0, 10), st.integers(0, 3))
def test_trimmed_entries_are_lost_to_whoever_had_not_read_them_all(
    read: int, trimmed: int, more: int
) -> None:
    stream = Stream()
    stream.add(10)
    stream.trim(trimmed)
    stream.add(more)

    assert stream.why_lost(read) == ("trimmed" if read < trimmed else None)


def test_who_has_read_all_of_a_stream_that_was_emptied_misses_nothing(stream: Stream) -> None:
    stream.trim(10)

    assert stream.why_lost(10) is None
    stream.add()
    assert stream.why_lost(10) is None


def test_an_entry_that_was_erased_on_request_is_not_missed(stream: Stream) -> None:
    stream.delete(5)

    assert stream.why_lost(5) is None
    assert stream.why_lost(4) is None


def test_the_last_one_that_was_erased_is_not_missed(stream: Stream) -> None:
    stream.delete(10)

    assert stream.why_lost(10) is None


def test_a_stream_that_is_gone_is_told(stream: Stream) -> None:
    assert Stream().why_lost(10) == "forgotten"


def test_a_stream_that_was_made_anew_is_told_however_far_it_has_come() -> None:
    read = ReadPlace(EntryId(10), 10)
    for added in range(1, 30):
        anew = StreamEnds(first=EntryId(11), last=EntryId(10 + added), length=added, added=added)
        assert why_lost(read, anew, is_there=False) == "forgotten"


def test_entries_that_a_failover_took_are_told_though_others_came_since(stream: Stream) -> None:
    read = ReadPlace(EntryId(10), 10)
    # Of ten only six had come to the replica, which then was given others.
    after = StreamEnds(first=EntryId(1), last=EntryId(20), length=14, added=14)

    assert why_lost(read, after, is_there=False) == "forgotten"


def test_who_begins_at_the_oldest_misses_nothing(stream: Stream) -> None:
    stream.trim(4)
    stream.delete(6)
    ends = stream.ends

    assert why_lost(ends.oldest, ends, is_there=False) is None
    assert why_lost(ends.newest, ends, is_there=True) is None


def test_nothing_is_lost_of_a_stream_that_never_was() -> None:
    ends = StreamEnds()

    assert why_lost(ends.oldest, ends, is_there=False) is None
    assert why_lost(ends.newest, ends, is_there=False) is None
