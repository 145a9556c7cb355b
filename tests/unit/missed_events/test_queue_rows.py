from typing import Any

import pytest

from gateway.contract import COMMENT_ADDED, COMMENT_DELETED, COMMENT_UPDATED, EventSubject
from gateway.event_subscription import EventSubscription
from gateway.missed_events.queue_rows import OfflineRow, QueueRows
from gateway.settings import EventSettings

COMMENTS = QueueRows(EventSubscription())
row_of, message_id_of = COMMENTS.row_of, COMMENTS.message_id_of
MESSAGE_ID = "0123456789abcdef0123456789abcdef"


def tree(**changes: Any) -> dict[str, Any]:
    return {
        "ID": "1",
        "TIMESTAMP_X": "2024-07-18T12:32:31+02:00",
        "EVENT_NAME": "ONCRMTIMELINECOMMENTUPDATE",
        "EVENT_DATA": {"FIELDS": {"ID": 999}},
        "EVENT_ADDITIONAL": {"user_id": 7},
        "MESSAGE_ID": MESSAGE_ID,
    } | changes


def test_a_row_says_what_was_changed_when_and_by_whom() -> None:
    assert row_of(tree()) == OfflineRow(
        message_id=MESSAGE_ID,
        type=COMMENT_UPDATED,
        subject=EventSubject.of_comment(999),
        changed_at=1721298751,
        user_id=7,
    )


@pytest.mark.parametrize(
    ("name", "event_type"),
    [("OnCrmTimelineCommentAdd", COMMENT_ADDED), ("ONCRMTIMELINECOMMENTDELETE", COMMENT_DELETED)],
)
def test_each_event_has_its_type_however_it_is_written(name: str, event_type: str) -> None:
    row = row_of(tree(EVENT_NAME=name))

    assert row is not None
    assert row.type == event_type


@pytest.mark.parametrize(
    "changes",
    [
        {"EVENT_DATA": {"FIELDS": {"ID": "999"}}},
        {"EVENT_ADDITIONAL": {"user_id": "7"}},
        {"EVENT_ADDITIONAL": {"user_id": 7, "more": []}},
    ],
)
def test_numbers_may_come_as_strings_as_php_sends_them(changes: dict[str, Any]) -> None:
    assert row_of(tree(**changes)) == row_of(tree())


@pytest.mark.parametrize("nothing", [False, [], {}, None, "", {"user_id": 0}])
def test_nobody_in_particular_may_have_caused_it(nothing: Any) -> None:
    row = row_of(tree(EVENT_ADDITIONAL=nothing))

    assert row is not None
    assert row.user_id is None


@pytest.mark.parametrize(
    "changes",
    [
        {"EVENT_DATA": False},
        {"EVENT_DATA": []},
        {"EVENT_DATA": {"FIELDS": {"ID": "0"}}},
        {"EVENT_DATA": {"FIELDS": {"ID": True}}},
        {"TIMESTAMP_X": "yesterday"},
        {"TIMESTAMP_X": "2024-07-18T12:32:31"},
        {"TIMESTAMP_X": None},
    ],
)
def test_a_row_that_does_not_say_what_or_when_can_be_named_but_not_read(
    changes: dict[str, Any],
) -> None:
    assert row_of(tree(**changes)) is None
    assert message_id_of(tree(**changes)) == MESSAGE_ID


@pytest.mark.parametrize("changes", [{"EVENT_NAME": "ONCRMDEALUPDATE"}, {"MESSAGE_ID": "1"}])
def test_what_is_not_ours_or_has_no_name_is_not_touched(changes: dict[str, Any]) -> None:
    assert row_of(tree(**changes)) is None
    assert message_id_of(tree(**changes)) is None


@pytest.mark.parametrize("rubbish", [None, [], "row", 7, {}])
def test_rubbish_is_no_row(rubbish: Any) -> None:
    assert row_of(rubbish) is None


ENTITIES = QueueRows(
    EventSubscription([EventSettings(name=f"onCrm{one}*") for one in ("Deal", "Dynamic")])
)


def test_a_row_of_another_entity_says_what_its_event_would_say() -> None:
    key = "be45f0660071849a0058f18a00000001"
    data = {"FIELDS": {"ID": 77, "CATEGORY_ID": None, "NOTE": key, "LIST": ["a", 2, True, 1.0]}}

    row = ENTITIES.row_of(tree(EVENT_NAME="ONCRMDEALUPDATE", EVENT_DATA=data))

    assert row is not None
    assert (row.type, row.subject) == ("bitrix24.crm.deal.updated", EventSubject("deal", 77))
    assert row.fields == {"FIELDS": {"ID": "77", "LIST": ["a", "2", "1", "1"]}}


def test_a_row_of_a_smart_process_has_its_number() -> None:
    data = {"FIELDS": {"ID": "5", "ENTITY_TYPE_ID": 1036}}

    row = ENTITIES.row_of(tree(EVENT_NAME="ONCRMDYNAMICITEMADD", EVENT_DATA=data))

    assert row is not None
    assert (row.type, str(row.subject)) == ("bitrix24.crm.item.1036.added", "item.1036/5")


def test_a_row_that_does_not_say_which_entity_is_of_all_of_its_kind() -> None:
    row = ENTITIES.row_of(tree(EVENT_NAME="ONCRMDEALUPDATE", EVENT_DATA=False))

    assert row is not None
    assert (row.subject, row.fields) == (EventSubject("deal"), {})
    assert ENTITIES.row_of(tree()) is None, "comments are not taken here"
