"""What is in memory is all that came, in order, up to what was let go."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.feed.cursor import ReadPlace
from consumers.feed.feed_entry import FeedEntry
from consumers.feed.recent_entries import RecentEntries
from gateway.contract import EntryId

START = ReadPlace(EntryId(0), 0)


def entry(number: int, partition: int = 0, size: int = 100) -> FeedEntry:
    return FeedEntry(
        partition=partition,
        id=EntryId(number),
        number=number,
        raw=b"x" * size,
        type="",
        member_id="",
    )


def recent(partitions: int = 1, *, max_bytes: int = 10_000, longest_s: float = 60) -> RecentEntries:
    return RecentEntries(partitions, max_bytes=max_bytes, longest_s=longest_s)


def numbers_after(held: RecentEntries, number: int, partition: int = 0) -> list[int]:
    return [one.number for one in held.after(partition, EntryId(number))]


def test_whoever_is_at_an_entry_gets_what_comes_behind_it() -> None:
    held = recent()
    for number in (1, 2, 5):
        held.add(entry(number), now=0)

    assert numbers_after(held, 0) == [1, 2, 5]
    assert numbers_after(held, 2) == [5]
    assert numbers_after(held, 5) == []
    assert held.covers(0, ReadPlace(EntryId(2), 2))


def test_a_place_at_which_there_was_no_entry_is_not_covered() -> None:
    held = recent()
    for number in (1, 2, 5):
        held.add(entry(number), now=0)

    assert not held.covers(0, ReadPlace(EntryId(3), 3))


def test_the_oldest_go_when_it_is_too_much_and_then_are_not_covered() -> None:
    held = recent(max_bytes=5 * entry(1).size)
    for number in range(1, 11):
        held.add(entry(number), now=0)

    assert numbers_after(held, 5) == [6, 7, 8, 9, 10]
    assert held.covers(0, ReadPlace(EntryId(5), 5))  # all that comes behind it is there
    assert not held.covers(0, ReadPlace(EntryId(4), 4))
    assert held.bytes == 5 * entry(1).size


def test_what_came_too_long_ago_goes() -> None:
    held = recent(longest_s=60)
    held.add(entry(1), now=0)
    held.add(entry(2), now=50)
    held.expire(now=61)

    assert numbers_after(held, 0) == [2]
    assert not held.covers(0, START)


def test_partitions_are_let_go_in_the_order_in_which_they_came() -> None:
    held = recent(2, max_bytes=3 * entry(1).size)
    held.add(entry(1, 0), now=0)
    for number in (1, 2, 3):
        held.add(entry(number, 1), now=0)

    assert numbers_after(held, 0, 0) == []
    assert numbers_after(held, 0, 1) == [1, 2, 3]


def test_a_partition_that_begins_anew_lets_go_of_what_it_had() -> None:
    held = recent(2)
    held.add(entry(1, 0), now=0)
    held.add(entry(1, 1), now=0)
    held.begin(0, ReadPlace(EntryId(7), 7))
    held.add(entry(8, 0), now=100)
    held.expire(now=100)  # what came first is of neither partition any more

    assert numbers_after(held, 0, 0) == [8]
    assert held.bytes == entry(8).size
    assert held.covers(0, ReadPlace(EntryId(7), 7))


@given(st.lists(st.integers(0, 3), max_size=2000), st.integers(1, 600))
def test_it_never_holds_more_than_it_may_nor_leaves_a_gap(which: list[int], room: int) -> None:
    held = recent(4, max_bytes=room * entry(1).size)
    added = [0, 0, 0, 0]
    for partition in which:
        added[partition] += 1
        held.add(entry(added[partition], partition), now=0)

    assert len(held) == min(len(which), room)
    assert held.bytes == len(held) * entry(1).size
    for partition, last in enumerate(added):
        kept = numbers_after(held, 0, partition)
        assert kept == list(range(last - len(kept) + 1, last + 1))
