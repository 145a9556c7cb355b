"""Which events somebody means who names a portal, a type, a subject or an id."""

import pytest

from consumers.testing import app_event, comment_event
from gateway.contract import (
    EventSelection,
    OtherEvent,
    Pause,
    encode_event,
    is_of_type,
    pauses_of,
    strikes_of,
)

EVENT = comment_event(7, member_id="aaa", domain="acme.bitrix24.example")


@pytest.mark.parametrize(
    ("selection", "is_meant"),
    [
        (EventSelection(), True),
        (EventSelection(portal="aaa"), True),
        (EventSelection(portal="acme.bitrix24.example"), True),
        (EventSelection(portal="bbb"), False),
        (EventSelection(type="comment.updated"), True),
        (EventSelection(type="crm.timeline.comment.*"), True),
        (EventSelection(type="bitrix24.crm.timeline.comment.updated"), True),
        (EventSelection(type="comment"), False),
        (EventSelection(subject="comment/7"), True),
        (EventSelection(subject="comment/70"), False),
        (EventSelection(portal="aaa", subject="comment/8"), False),
        (EventSelection(event_id=EVENT.id), True),
        (EventSelection(event_id="another"), False),
    ],
)
def test_an_event_is_meant_if_it_is_all_of_what_is_given(
    selection: EventSelection, is_meant: object
) -> None:
    assert selection.has(EVENT) is is_meant


@pytest.mark.parametrize(
    ("event_type", "called"),
    [
        ("bitrix24.crm.deal.updated", "deal.updated"),
        ("bitrix24.crm.deal.updated", "deal.*"),
        ("bitrix24.crm.deal.updated", "onCrmDealUpdate"),
        ("bitrix24.crm.deal.field.updated", "deal_field.updated"),
        ("bitrix24.crm.item.1036.updated", "item.updated"),
        ("bitrix24.crm.item.1036.updated", "crm.item.1036.*"),
        ("bitrix24.imbot.v2.message.added", "bot_v2_message.added"),
    ],
)
def test_a_type_is_meant_by_each_name_that_trigger_takes(event_type: str, called: str) -> None:
    assert is_of_type(event_type, called)
    assert not is_of_type("bitrix24.crm.lead.updated", called)


def test_the_fields_of_deals_are_no_deals() -> None:
    assert not is_of_type("bitrix24.crm.deal.field.updated", "deal.*")


def test_an_event_of_an_unknown_type_is_known_by_its_portals_id() -> None:
    event = app_event(member_id="aaa")
    other = OtherEvent(
        id=event.id,
        source=event.source,
        type="bitrix24.tea.made",
        subject="app",
        time=event.time,
        receivedat=event.receivedat,
        data={},
    )
    assert encode_event(other)
    assert EventSelection(portal="aaa").has(other)
    assert EventSelection(portal="aaa", type="tea.*").has(other)
    assert not EventSelection(portal="bbb").has(other)


def test_a_selection_reads_as_what_was_given() -> None:
    assert str(EventSelection()) == "*"
    assert str(EventSelection(type="comment.*", portal="aaa")) == "portal=aaa type=comment.*"


def test_what_another_version_wrote_is_left_out() -> None:
    fields = {
        b"*": b'{"selection":{},"since":"2026-01-01T00:00:00.000Z","later":1}',
        b"a": b"nothing that can be read",
        b"b": b'{"selection":{},"since":"2026-01-01T00:00:00.000Z","until":"tomorrow"}',
    }
    assert pauses_of(fields) == {
        b"*": Pause(selection=EventSelection(), since="2026-01-01T00:00:00.000Z")
    }
    assert strikes_of(fields) == {}, "nothing would be left if everything was struck"
