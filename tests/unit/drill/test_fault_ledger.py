"""The account of a fault finds what it is there to find."""

from gateway.drill.delivery_load import LoadDelivery
from gateway.drill.fault_ledger import StoredEvent, account_of
from tests.support.probes import Saying, lies_of_receiver


def accepted(
    event_id: str, *, at: float, comment_id: int = 1, stored: str = "stream"
) -> LoadDelivery:
    return LoadDelivery(comment_id, int(event_id), at, 200, event_id, stored, at + 0.1)


def entry(event_id: str, *, ts: int | None = None, comment_id: int = 1) -> StoredEvent:
    return StoredEvent(event_id, comment_id, int(event_id) if ts is None else ts)


def test_all_is_well_when_every_accepted_request_is_on_a_stream_once_and_in_order() -> None:
    sent = [
        accepted("1", at=0.0),
        accepted("2", at=1.0, stored="spool"),
        LoadDelivery(1, 3, 2.0, 503),
        LoadDelivery(1, 4, 3.0),
        accepted("5", at=4.0, comment_id=2),
    ]

    account = account_of(sent, [[entry("1"), entry("2"), entry("4")], [entry("5", comment_id=2)]])

    assert (account.lost, account.duplicated, account.out_of_order) == (0, 0, 0)
    assert (account.sent, account.accepted, account.spooled, account.stored) == (5, 3, 1, 4)
    assert (account.refused, account.unanswered) == (1, 1)
    assert account.seconds_without_200 == 3.0


def test_an_accepted_request_that_is_on_no_stream_is_lost() -> None:
    assert account_of([accepted("1", at=0), accepted("2", at=1)], [[entry("1")]]).lost == 1


def test_an_entry_that_is_there_twice_is_a_duplicate() -> None:
    assert account_of([accepted("1", at=0)], [[entry("1"), entry("1")]]).duplicated == 1


def test_a_request_that_became_two_events_is_a_duplicate() -> None:
    assert account_of([accepted("1", at=0)], [[entry("1"), entry("9", ts=1)]]).duplicated == 1


def test_events_of_one_comment_that_changed_places_are_out_of_order() -> None:
    sent = [accepted("1", at=0), accepted("2", at=1), accepted("3", at=2, comment_id=2)]

    assert account_of(sent, [[entry("2"), entry("1")]]).out_of_order == 1
    ordered = [entry("3", comment_id=2), entry("1"), entry("2")]
    assert account_of(sent, [ordered]).out_of_order == 0


def test_the_time_without_200_reaches_to_the_last_request() -> None:
    sent = [accepted("1", at=0.0), *(LoadDelivery(1, n, float(n)) for n in range(2, 10))]

    assert account_of(sent, [[entry("1")]]).seconds_without_200 == 8.9


def test_the_time_without_200_is_all_of_it_if_no_request_was_accepted() -> None:
    sent = [LoadDelivery(1, 1, 1.0), LoadDelivery(1, 2, 4.5, 503)]

    assert account_of(sent, []).seconds_without_200 == 3.5


def test_a_probe_is_untrue_if_what_it_says_was_so_neither_before_nor_after() -> None:
    good = [accepted(str(number), at=float(number)) for number in range(10)]
    bad = [LoadDelivery(1, number, float(number), 503) for number in range(20, 30)]

    def lies(at: float, path: str, status: int) -> bool:
        return bool(lies_of_receiver([Saying(at, path, status)], [*good, *bad]))

    assert [lies(5, "/readyz", status) for status in (200, 503, 500, 0)] == [0, 1, 1, 0]
    assert [lies(25, "/readyz", status) for status in (200, 503, 500, 0)] == [1, 0, 1, 0]
    assert [lies(25, "/healthz", status) for status in (200, 503)] == [0, 1]
    assert not lies(50, "/readyz", 200)  # nothing was sent that would tell
