"""What a fault came to is told by what was answered, stored and handled."""

from dataclasses import replace
from typing import Any

from gateway.drill.delivery_load import LoadDelivery
from gateway.drill.drill_faults import FAULTS
from gateway.drill.effect_store import Effect, Told
from gateway.drill.fault_ledger import StoredEvent
from gateway.drill.fault_verdict import FaultSpan, Found, TriedFault, outcome_of, spans_of
from gateway.drill_record import FaultOutcome


def sent(number: int, *, status: int | None = 200) -> LoadDelivery:
    is_accepted = status == 200
    event_id, stored = (f"event-{number}", "stream") if is_accepted else ("", "")
    return LoadDelivery(7, number, number / 10, status, event_id, stored, number / 10)


def stored(*numbers: int) -> list[list[StoredEvent]]:
    return [[StoredEvent(f"event-{number}", 7, number) for number in numbers]]


def handled(*numbers: int) -> list[Effect]:
    """In the order of their effects; the number is where the entry stands on the stream."""
    return [
        Effect(
            event_id=f"event-{number}",
            comment_id=7,
            entry_id=f"{number}-0",
            partition=0,
            epoch=1,
            pid=1,
        )
        for number in numbers
    ]


def outcome(
    deliveries: list[LoadDelivery],
    *,
    fault: str = "redis-away",
    why_not_well: str | None = None,
    **found: Any,
) -> FaultOutcome:
    numbers = [one.ts for one in deliveries if one.is_accepted]
    seen: dict[str, Any] = {"streams": stored(*numbers), "effects": handled(*numbers), "told": []}
    span = FaultSpan(fault=FAULTS[fault], deliveries=deliveries, why_not_well=why_not_well)
    return outcome_of(span, Found(**(seen | found)))


def test_all_is_well_when_what_was_answered_200_was_handled_once_and_in_order() -> None:
    found = outcome([sent(1), sent(2), sent(3)])

    assert found.is_well
    assert (found.answered, found.stored, found.handled, found.lost) == (3, 3, 3, 0)


def test_what_was_answered_200_and_never_handled_is_lost() -> None:
    found = outcome([sent(1), sent(2)], effects=handled(1))

    assert (found.lost, found.handled) == (1, 1)
    assert found.wrong == ("lost: 1 were answered 200 and never handled",)


def test_what_was_handled_and_trimmed_since_is_not_lost() -> None:
    assert outcome([sent(1), sent(2)], streams=stored(2)).is_well


def test_a_second_entry_of_a_request_is_a_double() -> None:
    found = outcome([sent(1)], streams=stored(1, 1))

    assert found.wrong == ("doubled: 1 stand on the stream once more",)


def test_an_event_that_came_to_the_sink_again_is_recognised_and_no_fault() -> None:
    told = [Told("event-1", "stored", 1), Told("event-1", "repeated", 2)]
    found = outcome([sent(1)], told=told)

    assert (found.recognised, found.is_well) == (1, True)


def test_effects_in_another_order_than_their_entries_are_out_of_order() -> None:
    found = outcome([sent(1), sent(2)], effects=handled(2, 1))

    assert found.wrong == ("out of order: 1",)
    assert outcome([sent(1), sent(2)], fault="spool-full", effects=handled(2, 1)).is_well


def test_a_fault_excuses_what_it_is_about_and_no_other() -> None:
    refused = [sent(1), sent(2, status=503)]
    unanswered = [sent(1), sent(2, status=None)]

    assert outcome(refused, fault="spool-full").is_well
    assert outcome(refused).wrong == ("1 were refused, and Bitrix24 does not send them again",)
    assert outcome(unanswered, fault="receiver-killed").is_well
    assert outcome(unanswered).wrong == ("1 got no answer, and Bitrix24 does not send them again",)


def test_what_did_not_recover_is_told_first() -> None:
    found = outcome([sent(1, status=503)], why_not_well="not within 60 s: x")

    assert found.wrong[:2] == ("not within 60 s: x", "no request was answered 200")


def test_a_request_that_is_under_way_when_a_fault_ends_is_the_next_ones() -> None:
    tried = [TriedFault(FAULTS["redis-away"], 10.0), TriedFault(FAULTS["receiver-killed"], 20.0)]
    over = [replace(sent(number), over_at=at) for number, at in enumerate([9.9, 10.1, 9.8, 25.0])]

    first, second = spans_of(tried, over)

    assert [one.over_at for one in first.deliveries] == [9.9, 9.8]
    assert [one.over_at for one in second.deliveries] == [10.1, 25.0]
    assert (first.fault.name, second.fault.name) == ("redis-away", "receiver-killed")
