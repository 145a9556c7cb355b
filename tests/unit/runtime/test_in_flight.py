"""How much a process takes in hand."""

from consumers.runtime.in_flight import InFlight
from tests.unit.runtime.test_lanes import SOURCE, held

SIZE = len(held(1, 1).entry.raw)


def taken(in_flight: InFlight, count: int) -> list[bytes]:
    ids = []
    for number in range(count):
        one = held(1, number)
        in_flight.add(SOURCE, one.id, one)
        ids.append(one.id)
    return ids


def test_entries_are_taken_up_to_the_number_that_fits() -> None:
    in_flight = InFlight(100, max_bytes=1000 * SIZE)
    assert in_flight.room() == 100
    taken(in_flight, 60)
    assert in_flight.room() == 40


def test_large_entries_are_taken_up_to_the_size_that_fits() -> None:
    in_flight = InFlight(1000, max_bytes=100 * SIZE)
    taken(in_flight, 60)
    assert 35 <= in_flight.room() <= 40


def test_nothing_is_taken_until_a_quarter_is_free() -> None:
    for in_flight in (InFlight(100, max_bytes=1000 * SIZE), InFlight(1000, max_bytes=100 * SIZE)):
        ids = taken(in_flight, 80)
        assert in_flight.room() == 0
        in_flight.settle(SOURCE, ids[:10])
        assert in_flight.room() >= 25


def test_few_are_taken_while_their_size_is_unknown() -> None:
    in_flight = InFlight(100_000, max_bytes=1 << 30)
    assert in_flight.room() == 1000
    taken(in_flight, 1000)
    assert in_flight.room() == 99_000


def test_what_nobody_handles_takes_a_place_and_no_size() -> None:
    in_flight = InFlight(10, max_bytes=2)
    in_flight.add(SOURCE, b"1-0", None)
    assert in_flight.room() == 9
    in_flight.settle(SOURCE, [b"1-0"])
    assert in_flight.room() == 10
