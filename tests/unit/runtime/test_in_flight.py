"""How much a process takes in hand."""

from consumers.runtime.in_flight import Hand
from tests.unit.runtime.test_lanes import SOURCE, held

SIZE = len(held(1, 1).entry.raw)


def taken(hand: Hand, count: int) -> list[bytes]:
    ids = []
    for number in range(count):
        one = held(1, number)
        hand.add(SOURCE, one.id, one)
        ids.append(one.id)
    return ids


def test_entries_are_taken_up_to_the_number_that_fits() -> None:
    hand = Hand(100, max_bytes=1000 * SIZE)
    assert hand.room() == 100
    taken(hand, 60)
    assert hand.room() == 40


def test_large_entries_are_taken_up_to_the_size_that_fits() -> None:
    hand = Hand(1000, max_bytes=100 * SIZE)
    taken(hand, 60)
    assert 35 <= hand.room() <= 40


def test_nothing_is_taken_until_a_quarter_is_free() -> None:
    for hand in (Hand(100, max_bytes=1000 * SIZE), Hand(1000, max_bytes=100 * SIZE)):
        ids = taken(hand, 80)
        assert hand.room() == 0
        hand.settle(SOURCE, ids[:10])
        assert hand.room() >= 25


def test_few_are_taken_while_their_size_is_unknown() -> None:
    hand = Hand(100_000, max_bytes=1 << 30)
    assert hand.room() == 1000
    taken(hand, 1000)
    assert hand.room() == 99_000


def test_what_nobody_handles_takes_a_place_and_no_size() -> None:
    hand = Hand(10, max_bytes=2)
    hand.add(SOURCE, b"1-0", None)
    assert hand.room() == 9
    hand.settle(SOURCE, [b"1-0"])
    assert hand.room() == 10
