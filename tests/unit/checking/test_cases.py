"""What consumers are tried with is legal, and has of everything that can be odd at least one."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Final

import pytest
from jsonschema import Draft202012Validator

from consumers import AppEvent, CommentEvent, Consumer, EntityEvent, Event, OtherEvent, PortalEvent
from consumers.checking.case import Case
from consumers.checking.consumer_check import cases_of
from gateway.contract import EVENT_TYPES, EventSubject, decode_event
from gateway.contract.json_schema import json_schema

VALIDATOR: Final = Draft202012Validator(json_schema())
PATTERNS: Final = (
    ("*",),
    ("bitrix24.crm.*", "bitrix24.task.comment.*", "bitrix24.app.*"),
    ("bitrix24.crm.timeline.comment.updated",),
    ("bitrix24.crm.item.1058.updated", "bitrix24.crm.item.*"),
    ("bitrix24.portal.[rs]*",),
)


def consumer_of(patterns: tuple[str, ...], stream: str = "comments") -> Consumer:
    """A consumer that handles these."""
    app = Consumer(group="g", stream=stream)
    for pattern in patterns:

        @app.on(pattern)
        async def handle(event: Event) -> None: ...

    return app


def all_cases() -> Iterator[Case]:
    """Those of consumers of all kinds, each name once."""
    found: dict[str, Case] = {}
    for stream in ("events", "comments"):
        for patterns in PATTERNS:
            found |= {
                f"{stream}-{one.name}": one for one in cases_of(consumer_of(patterns, stream))
            }
    yield from found.values()


ALL: Final = list(all_cases())


def test_every_event_is_one_that_the_schema_allows() -> None:
    """But for two of a later version, which may have types of other shapes."""
    faults = {
        case.name for case in ALL for raw in case.events if not VALIDATOR.is_valid(json.loads(raw))
    }

    assert faults == {"unknown-type", "unknown-no-data"}


def test_every_event_can_be_read_and_is_about_a_subject() -> None:
    for case in ALL:
        for raw in case.events:
            event = decode_event(raw)
            assert str(EventSubject.parse(event.subject)) == event.subject
            assert event.source.startswith("urn:bitrix24:c0ffee")


def test_there_are_events_of_all_classes_and_states() -> None:
    events = [decode_event(raw) for case in ALL for raw in case.events]

    assert {type(one) for one in events} == {
        CommentEvent,
        AppEvent,
        PortalEvent,
        EntityEvent,
        OtherEvent,
    }
    comments = {
        one.data.comment.state
        for one in events
        if isinstance(one, CommentEvent) and one.data.comment
    }
    objects = {
        one.data.object.state for one in events if isinstance(one, EntityEvent) and one.data.object
    }
    assert comments == objects == {"present", "deleted", "unavailable"}
    assert any(one.is_replay for one in ALL)
    assert any(one.is_redelivered for one in ALL)


@pytest.mark.parametrize("patterns", PATTERNS, ids=" ".join)
@pytest.mark.parametrize("stream", ["events", "comments"])
def test_a_case_is_known_by_its_name(patterns: tuple[str, ...], stream: str) -> None:
    names = Counter(one.name for one in cases_of(consumer_of(patterns, stream)))

    assert [name for name, count in names.items() if count > 1] == []


def test_whoever_takes_everything_is_tried_with_every_type_of_the_table() -> None:
    tried = {
        decode_event(raw).type for case in cases_of(consumer_of(("*",))) for raw in case.events
    }

    assert {one.type.replace("{entity_type_id}", "1058") for one in EVENT_TYPES} <= tried


def test_whoever_names_a_type_is_not_tried_with_one_that_nobody_has_heard_of() -> None:
    """But for those that he has to pass over."""
    app = consumer_of(("bitrix24.crm.deal.updated",))

    types = {decode_event(raw).type for case in cases_of(app) for raw in case.events}

    assert {one for one in types if app.handler_of(one)} == {"bitrix24.crm.deal.updated"}


def test_the_stream_of_events_has_nothing_that_was_fetched() -> None:
    app = consumer_of(("*",), "events")

    for case in cases_of(app):
        for raw in case.events:
            event = decode_event(raw)
            assert not (isinstance(event, CommentEvent) and event.data.comment)
            assert not (isinstance(event, EntityEvent) and event.data.object)


def test_a_task_comment_without_an_id_is_about_its_message() -> None:
    (usual,) = [
        one
        for one in cases_of(consumer_of(("bitrix24.task.comment.added",)))
        if one.name == "task.comment.added"
    ]

    assert [decode_event(raw).subject for raw in usual.events] == [
        "task_comment/77",
        "task_comment/77",
        "task_message/77",
    ]
