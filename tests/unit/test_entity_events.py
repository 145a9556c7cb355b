"""What becomes of events that are about neither a comment nor the application."""

from typing import Any

import pytest

from gateway.contract import EntityEvent, EventSubject, EventType, decode_event, encode_event
from gateway.event_subscription import EventSubscription
from gateway.inbound.admission import Admission, Admitted
from gateway.inbound.form_fields import extract
from gateway.portals.application_tokens import digest_of
from gateway.portals.directory import Directory, Portal
from gateway.settings import EventSettings

MEMBER = "010b6886ebc205e43ae65000ee00addb"
TOKEN = "fake0application0token"
PORTALS = Directory(
    [Portal(member_id=MEMBER, domain="acme.bitrix24.com", digests=(digest_of(TOKEN),))]
)


def row(name: str, event_type: str, subject_kind: str, *places: str, **more: Any) -> EventType:
    return EventType(
        documented_name=name,
        type=event_type,
        subject_kind=subject_kind,
        id_places=places,
        **more,
    )


TABLE = (
    row("onCrmDealUpdate", "bitrix24.crm.deal.updated", "deal", "data[FIELDS][ID]"),
    row("onTaskAdd", "bitrix24.task.added", "task", "data[FIELDS_AFTER][ID]"),
    row(
        "onTaskSay",
        "bitrix24.task.comment.added",
        "task_comment",
        "data[FIELDS_AFTER][ID]",
        "data[FIELDS_BEFORE][ID]",
        other_subjects=(("task_message", "data[FIELDS_AFTER][MESSAGE_ID]"),),
    ),
    row("onChatAdd", "bitrix24.im.chat.added", "chat", "data[CHAT_ID]"),
    row("onCurrencies", "bitrix24.crm.currencies.updated", "currencies"),
    row(
        "onCrmDynamicItemUpdate",
        "bitrix24.crm.item.{entity_type_id}.updated",
        "item.{entity_type_id}",
        "data[FIELDS][ID]",
        entity_type_places=("data[FIELDS][ENTITY_TYPE_ID]",),
    ),
)
ADMISSION = Admission(PORTALS, EventSubscription([EventSettings(name="*")], table=TABLE))


def admitted(name: str, data: str) -> Admitted:
    body = (
        f"event={name.upper()}&event_handler_id=185&{data}&ts=1766047133"
        f"&auth%5Bdomain%5D=acme.bitrix24.com&auth%5Bmember_id%5D={MEMBER}"
        f"&auth%5Buser_id%5D=7&auth%5Bapplication_token%5D={TOKEN}"
    )
    verdict = ADMISSION.admit(
        extract(body.encode()), receipt_id="receipt", received_ms=1_766_047_133_412
    )
    assert isinstance(verdict, Admitted)
    assert decode_event(encode_event(verdict.event)) == verdict.event
    return verdict


def event(name: str, data: str) -> EntityEvent:
    found = admitted(name, data).event
    assert isinstance(found, EntityEvent)
    return found


def test_the_event_of_a_deal_is_as_the_contract_says_to_the_letter() -> None:
    assert encode_event(event("onCrmDealUpdate", "data%5BFIELDS%5D%5BID%5D=77")) == (
        b'{"specversion":"1.0","id":"receipt",'
        b'"source":"urn:bitrix24:010b6886ebc205e43ae65000ee00addb",'
        b'"type":"bitrix24.crm.deal.updated","subject":"deal/77",'
        b'"time":"2025-12-18T08:38:53Z","receivedat":"2025-12-18T08:38:53.412Z",'
        b'"datacontenttype":"application/json","data":{'
        b'"member_id":"010b6886ebc205e43ae65000ee00addb","domain":"acme.bitrix24.com",'
        b'"fields":{"FIELDS":{"ID":"77"}},"user_id":7,"event_handler_id":185}}'
    )


@pytest.mark.parametrize(
    ("name", "data", "subject"),
    [
        ("onCrmDealUpdate", "data[FIELDS][ID]=77", EventSubject("deal", 77)),
        (
            "onTaskAdd",
            "data[FIELDS_BEFORE]=x&data[FIELDS_AFTER][ID]=5",
            EventSubject("task", 5),
        ),
        ("onTaskSay", "data[FIELDS_AFTER][ID]=4", EventSubject("task_comment", 4)),
        (
            "onTaskSay",
            "data[FIELDS_AFTER][ID]=0&data[FIELDS_BEFORE][ID]=5",
            EventSubject("task_comment", 5),
        ),
        (
            "onTaskSay",
            "data[FIELDS_AFTER][ID]=0&data[FIELDS_AFTER][MESSAGE_ID]=9",
            EventSubject("task_message", 9),
        ),
        ("onChatAdd", "data[CHAT_ID]=chat17", EventSubject("chat", "chat17")),
    ],
)
def test_the_id_is_the_first_usable_one(name: str, data: str, subject: EventSubject) -> None:
    found = admitted(name, data)

    assert (found.subject, found.event.subject) == (subject, str(subject))
    assert not found.lacks_id


@pytest.mark.parametrize(
    "data", ["x=1", "data[FIELDS][ID]=0", "data[FIELDS][ID]=a+b", "data=x", "data[FIELDS][ID][]=1"]
)
def test_an_event_without_a_usable_id_is_stored_in_the_order_of_its_portal(data: str) -> None:
    found = admitted("onCrmDealUpdate", data)

    assert (found.subject, found.lacks_id) == (EventSubject("deal"), True)
    assert found.event.subject == "deal"


def test_an_event_that_is_about_nothing_with_an_id_lacks_none() -> None:
    found = admitted("onCurrencies", "data[x]=1")

    assert (found.subject, found.lacks_id) == (EventSubject("currencies"), False)


def test_the_items_of_a_smart_process_have_its_number_in_type_and_subject() -> None:
    found = event("onCrmDynamicItemUpdate", "data[FIELDS][ID]=77&data[FIELDS][ENTITY_TYPE_ID]=1036")

    assert (found.type, found.subject) == ("bitrix24.crm.item.1036.updated", "item.1036/77")


def test_the_number_may_stand_in_the_name_of_the_event_alone() -> None:
    found = admitted("onCrmDynamicItemUpdate_1036", "data[FIELDS][ID]=77")

    assert found.event.type == "bitrix24.crm.item.1036.updated"
    assert (found.event.subject, found.name) == ("item.1036/77", "ONCRMDYNAMICITEMUPDATE")


def test_only_what_has_a_number_is_known_by_a_second_name() -> None:
    with pytest.raises(AssertionError):
        admitted("onCrmDealUpdate_1036", "data[FIELDS][ID]=77")


def test_of_a_process_without_a_number_the_word_is_left() -> None:
    found = event("onCrmDynamicItemUpdate", "data[FIELDS][ID]=77")

    assert (found.type, found.subject) == ("bitrix24.crm.item.updated", "item/77")


def test_where_nothing_is_usable_the_name_of_the_event_tells_what_it_was() -> None:
    assert admitted("onCrmDealUpdate", "x=1").name == "ONCRMDEALUPDATE"
