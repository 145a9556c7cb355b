"""What is bound, missing and elsewhere, by rows as `event.get` gives them."""

import pytest

from gateway.bitrix24.bindings import Binding, Bound, compare, expected
from gateway.contract import COMMENT_SUBJECT
from gateway.event_subscription import EventSubscription

HANDLER = "https://gateway.example.com/bitrix24/events"
SUBSCRIPTION = EventSubscription()
COMMENT_EVENTS = [row.wire_name for row in SUBSCRIPTION.rows if row.subject_kind == COMMENT_SUBJECT]
WANTED = expected(HANDLER, SUBSCRIPTION)
ONLINE = [
    {"event": binding.event, "handler": HANDLER, "auth_type": "0", "offline": 0}
    for binding in WANTED
    if not binding.is_offline
]
OFFLINE = [{"event": event, "connector_id": "", "offline": 1} for event in COMMENT_EVENTS]


def test_comments_are_delivered_and_queued_and_the_application_is_told_of_itself() -> None:
    online = {binding.event for binding in WANTED if not binding.is_offline}
    offline = {binding.event for binding in WANTED if binding.is_offline}

    assert offline == set(COMMENT_EVENTS)
    assert online - offline == {"ONAPPINSTALL", "ONAPPUNINSTALL", "ONAPPTEST", "ONOFFLINEEVENT"}


def test_a_portal_that_has_all_of_it_misses_nothing() -> None:
    comparison = compare(WANTED, ONLINE + OFFLINE)

    assert (comparison.present, comparison.missing, comparison.elsewhere) == (WANTED, (), ())


def test_names_are_compared_in_any_case_and_numbers_as_text() -> None:
    rows = [
        {"event": "OnCrmTimelineCommentAdd", "handler": HANDLER, "offline": "0"},
        {"event": "OnCrmTimelineCommentAdd", "connector_id": None, "offline": "1"},
    ]

    assert compare(WANTED, rows).present == (
        Binding(event="ONCRMTIMELINECOMMENTADD", handler=HANDLER),
        Binding(event="ONCRMTIMELINECOMMENTADD"),
    )


def test_another_connector_is_another_part_of_the_queue() -> None:
    wanted = expected(HANDLER, SUBSCRIPTION, connector="gateway")

    missing = compare(wanted, ONLINE + OFFLINE).missing

    assert missing == tuple(binding for binding in wanted if binding.is_offline)
    assert {binding.connector for binding in missing} == {"gateway"}


def test_what_goes_to_an_old_address_is_told_and_what_is_not_ours_is_not() -> None:
    old = "https://old.example.com/bitrix24/events"
    rows = [
        {"event": "ONCRMTIMELINECOMMENTADD", "handler": old, "offline": 0},
        {"event": "ONCRMDEALADD", "handler": old, "offline": 0},
    ]

    comparison = compare(WANTED, rows)

    assert comparison.elsewhere == (Binding(event="ONCRMTIMELINECOMMENTADD", handler=old),)
    assert comparison.missing == WANTED


@pytest.mark.parametrize("rows", [None, [], {}, "x", [None], {"0": {}}, [[]]])
def test_whatever_else_comes_back_nothing_is_bound(rows: object) -> None:
    assert compare(WANTED, rows).missing == WANTED


def test_whether_a_queue_is_there_is_said_by_what_is_bound_of_it() -> None:
    queue = tuple(binding for binding in WANTED if binding.is_offline)
    online = tuple(binding for binding in WANTED if not binding.is_offline)

    without_queue = Bound(bound=online, not_in_plan=queue)
    assert without_queue.queue == "not_in_plan"
    one_failed = Bound(bound=(*online[1:], *queue), failed={online[0]: "refused"})
    assert one_failed.queue == "bound"
    assert Bound(bound=online, failed=dict.fromkeys(queue, "refused")).queue == "failed"
    assert Bound(bound=online).queue == "bound", "what is taken has none"


def test_what_this_gateway_is_told_of_and_does_not_take_is_extra() -> None:
    rows = [
        {"event": "ONCRMDEALADD", "handler": HANDLER, "offline": 0},
        {"event": "ONCRMDEALADD", "connector_id": "", "offline": 1},
        {"event": "ONCRMDEALADD", "connector_id": "theirs", "offline": 1},
        {"event": "ONCRMLEADADD", "connector_id": "", "offline": 1},
        {"event": "ONCRMLEADADD", "handler": "https://other.example.com/", "offline": 0},
    ]

    comparison = compare(WANTED, [*ONLINE, *OFFLINE, *rows])

    assert comparison.missing == ()
    assert comparison.extra == (
        Binding(event="ONCRMDEALADD"),
        Binding(event="ONCRMDEALADD", handler=HANDLER),
    )
