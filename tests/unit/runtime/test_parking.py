"""What is parked is looked through in its order, and nothing overtakes it."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.entry import HeldEntry
from consumers.runtime.in_flight import InFlight
from consumers.runtime.parking import Parking
from consumers.runtime.shares import Shares
from tests.unit.runtime.test_gatherings import SOURCE, held


def look_through(parking: Parking, pending: list[HeldEntry], paused: set[str]) -> list[HeldEntry]:
    """What a look takes of what is pending, where only these portals are paused."""
    taken = []
    while parking.is_looked_through:
        after = parking.after(SOURCE)
        for one in pending if after is not None else ():
            event = one.entry.event
            if one in taken or number_of(one.id) <= number_of(after or b"0-0"):
                continue
            if event.source in paused or parking.must_wait(event):
                parking.keep(SOURCE, one.id, event, with_portal=event.source in paused)
            else:
                taken.append(one)
        if after is not None:
            parking.looked(SOURCE, pending[-1].id, is_end=True)
        parking.end()
    return taken


def number_of(entry_id: bytes) -> tuple[int, int]:
    ms, _, number = entry_id.partition(b"-")
    return int(ms), int(number or 0)


def test_a_portal_costs_one_note_and_a_subject_waits_alone() -> None:
    parking = Parking()
    for number in range(1, 100_001):
        one = held("hog", number, number)
        parking.park(SOURCE, one.id, one.entry.event, with_portal=True)
    subject = held("other", 1, 100_001)
    parking.park(SOURCE, subject.id, subject.entry.event, with_portal=False)

    assert parking.count(SOURCE) == 100_001
    assert parking.first(SOURCE) == held("hog", 1, 1).id
    assert parking.is_before(held("hog", 999_999, 100_002).entry.event)
    assert parking.is_before(subject.entry.event)
    assert not parking.is_before(held("other", 2, 100_003).entry.event)


def test_too_many_subjects_of_a_portal_let_all_of_it_wait() -> None:
    parking = Parking()
    for number in range(1, 100_003):
        one = held("many", number, number)
        parking.park(SOURCE, one.id, one.entry.event, with_portal=False)

    assert parking.is_before(held("many", 999_999, 1).entry.event)


def test_what_is_parked_during_a_look_is_looked_at_too() -> None:
    parking = Parking()
    first, second = held("a", 1, 1), held("a", 1, 2)
    parking.park(SOURCE, first.id, first.entry.event, with_portal=True)
    parking.begin()
    parking.looked(SOURCE, first.id, is_end=True)
    assert parking.is_before(second.entry.event)
    parking.park(SOURCE, second.id, second.entry.event, with_portal=False)
    parking.end()

    assert parking.after(SOURCE) == first.id
    assert look_through(parking, [first, second], set()) == [second]
    assert parking.is_empty


def test_what_comes_out_of_hand_during_a_look_is_not_missed() -> None:
    parking = Parking()
    early, late = held("a", 1, 1), held("a", 1, 5)
    parking.park(SOURCE, late.id, late.entry.event, with_portal=True)
    parking.begin()
    parking.park_again(SOURCE, early.id, early.entry.event.source, None)
    parking.looked(SOURCE, late.id, is_end=True)
    parking.end()

    assert parking.is_looked_through
    assert look_through(parking, [early, late], set()) == [early, late]


def test_the_hand_knows_how_far_the_group_is_and_how_much_is_pending() -> None:
    in_flight = InFlight(100, max_bytes=1 << 20)
    some = [held("a", number, number) for number in range(1, 5)]
    in_flight.offer(SOURCE, some)
    in_flight.park(some[1], with_portal=True)
    in_flight.settle(SOURCE, [some[0].id])

    assert in_flight.delivered_count == in_flight.count(SOURCE) == 3
    assert len(in_flight) == 2
    assert in_flight.oldest(SOURCE) == some[1].id.decode()
    assert in_flight.parking.uncounted(SOURCE) == {0: [some[1].id]}
    assert in_flight.parking.uncounted(SOURCE) == {}


def test_what_is_aside_is_parked_before_it_is_looked_through() -> None:
    shares = Shares(lambda one: one.entry.event.source, max_entries=100, max_bytes=1 << 20)
    in_flight = InFlight(100, max_bytes=1 << 20, shares=shares)
    some = [held("hog", number, number) for number in range(1, 200)]
    in_hand = in_flight.offer(SOURCE, some)
    in_flight.look_through_parked()

    assert in_flight.aside_count == 0
    assert in_flight.delivered_count == len(some)
    assert in_flight.parking.is_before(some[-1].entry.event)
    assert look_through(in_flight.parking, some[len(in_hand) :], set()) == some[len(in_hand) :]
    assert list(in_flight.wanted(100)) == []


@given(st.lists(st.sampled_from(["a", "b", "c", "pause", "resume"]), max_size=60))
def test_every_entry_is_taken_once_and_in_the_order_of_its_portal(steps: list[str]) -> None:
    parking, paused, taken, pending = Parking(), set[str](), list[HeldEntry](), list[HeldEntry]()
    source_of_a = held("a", 1, 1).entry.event.source
    for number, step in enumerate([*steps, "resume"], start=1):
        if step in {"pause", "resume"}:
            (paused.add if step == "pause" else paused.discard)(source_of_a)
            if not parking.is_empty:
                parking.begin()
                some = look_through(parking, pending, paused)
                taken += some
                pending = [one for one in pending if one not in some]
            continue
        one = held(step, 1, number)
        event = one.entry.event
        if event.source in paused or parking.is_before(event):
            parking.park(SOURCE, one.id, event, with_portal=event.source in paused)
            pending.append(one)
        else:
            taken.append(one)

    assert pending == []
    assert parking.is_empty
    for portal in "abc":
        ids = [one.id for one in taken if one.entry.event.source.endswith(portal)]
        assert ids == sorted(ids, key=number_of)
