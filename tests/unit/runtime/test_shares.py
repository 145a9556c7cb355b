"""How much of the hand one key may fill."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.entry import HeldEntry
from consumers.runtime.in_flight import InFlight
from consumers.runtime.shares import Shares
from tests.unit.runtime.test_gatherings import SOURCE, held


def in_flight_of(max_entries: int) -> InFlight:
    shares = Shares(
        lambda one: one.entry.event.source, max_entries=max_entries, max_bytes=max_entries * 10_000
    )
    return InFlight(max_entries, max_bytes=max_entries * 10_000, shares=shares)


def is_in_hand(in_flight: InFlight, one: HeldEntry) -> bool:
    """Offer an entry; whether it was not set aside."""
    return bool(in_flight.offer(SOURCE, [one]))


def test_one_portal_fills_a_third_and_others_are_read_past_it() -> None:
    in_flight = in_flight_of(1000)
    taken = [is_in_hand(in_flight, held("hog", 1, number)) for number in range(5000)]
    assert 200 < sum(taken) < 350
    assert taken == sorted(taken, reverse=True)  # nothing overtakes what is aside
    assert in_flight.aside_count == 5000 - sum(taken)
    assert in_flight.room() > 250
    assert all(is_in_hand(in_flight, held("other", 2, 10_000 + number)) for number in range(10))


def test_a_hundred_portals_that_hang_leave_room_for_others() -> None:
    in_flight = in_flight_of(20_000)
    number = 0
    for _ in range(300):
        for portal in range(100):
            number += 1
            is_in_hand(in_flight, held(f"p{portal}", 1, number))
    assert in_flight.room() >= 5000
    assert all(is_in_hand(in_flight, held("other", 2, 10**6 + one)) for one in range(20))


def test_what_is_aside_comes_back_in_its_order_when_there_is_room() -> None:
    in_flight = in_flight_of(1000)
    all_of_it = [held("hog", 1, number) for number in range(900)]
    in_hand = [one for one in all_of_it if is_in_hand(in_flight, one)]
    assert list(in_flight.wanted(1000)) == []
    in_flight.settle(SOURCE, [one.id for one in in_hand])
    ((key, some),) = in_flight.wanted(1000)
    assert [entry_id for _, entry_id, _ in some] == [
        one.id for one in all_of_it[len(in_hand) :][: len(some)]
    ]
    in_flight.came_back(key, len(some))
    for one in all_of_it[len(in_hand) :][: len(some)]:
        in_flight.add(SOURCE, one.id, one)
    assert in_flight.aside_count == 900 - len(in_hand) - len(some)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=300))
def test_every_entry_is_handled_once_and_in_the_order_of_its_portal(
    steps: list[tuple[str, bool]],
) -> None:
    in_flight = in_flight_of(80)
    waiting: defaultdict[str, list[HeldEntry]] = defaultdict(list)
    done: defaultdict[str, list[HeldEntry]] = defaultdict(list)
    came: defaultdict[str, list[HeldEntry]] = defaultdict(list)
    by_id: dict[bytes, HeldEntry] = {}

    def bring_back() -> None:
        for key, some in list(in_flight.wanted(20)):
            in_flight.came_back(key, len(some))
            for source, entry_id, deliveries in some:
                assert deliveries == 1
                in_flight.add(source, entry_id, by_id[entry_id])
                waiting[by_id[entry_id].entry.event.source].append(by_id[entry_id])

    def handle(portal: str) -> None:
        if waiting[portal]:
            one = waiting[portal].pop(0)
            done[portal].append(one)
            in_flight.settle(SOURCE, [one.id])

    for number, (name, is_handled) in enumerate(steps):
        one = held(name, 1, number)
        portal = one.entry.event.source
        by_id[one.id] = one
        came[portal].append(one)
        if is_in_hand(in_flight, one):
            waiting[portal].append(one)
        if is_handled:
            handle(portal)
            bring_back()
    while len(in_flight):
        for portal in list(came):
            handle(portal)
        bring_back()

    assert done == {portal: ones for portal, ones in came.items() if ones}
    assert in_flight.aside_count == 0
