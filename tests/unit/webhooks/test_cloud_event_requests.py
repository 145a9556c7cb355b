"""The SDK of CloudEvents reads what we send."""

import json
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_http
from cloudevents.core.formats.json import JSONFormat
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract import CommentData, CommentEvent, encode_event
from gateway.webhooks.cloud_event_requests import CloudEventMessage, Mode, message_of

EVENT = CommentEvent(
    id="01a20519-8d87-7177-989d-ac8da4341f00",
    source="urn:bitrix24:5a4db0c5000000000000000000000000",
    type="bitrix24.crm.timeline.comment.updated",
    subject="comment/999",
    time="2016-06-20T16:21:54Z",
    receivedat="2026-11-22T21:11:30.439Z",
    data=CommentData(
        comment_id=999,
        member_id="5a4db0c5000000000000000000000000",
        domain="sandbox.bitrix24.example",
        user_id=None,
        event_handler_id=None,
    ),
)
RAW = encode_event(EVENT)


def read(message: CloudEventMessage) -> Any:
    headers = {name.lower(): value for name, value in message.headers.items()}
    return from_http(HTTPMessage(headers=headers, body=message.body), JSONFormat())


@pytest.mark.parametrize("mode", ["structured", "binary"])
def test_the_sdk_reads_the_event_in_both_modes(mode: Mode) -> None:
    event = read(message_of(RAW, mode))

    assert (event.get_id(), event.get_type()) == (EVENT.id, EVENT.type)
    assert (event.get_source(), event.get_subject()) == (EVENT.source, EVENT.subject)
    assert event.get_extension("receivedat") == EVENT.receivedat
    assert event.get_data()["comment_id"] == 999


def test_a_structured_body_is_what_stands_on_the_stream() -> None:
    message = message_of(RAW, "structured")

    assert message.body == RAW
    assert message.headers["Content-Type"].startswith("application/cloudevents+json")


def test_a_binary_body_is_the_data_alone() -> None:
    message = message_of(RAW, "binary")

    assert message.headers["Content-Type"] == "application/json"
    assert json.loads(message.body)["domain"] == "sandbox.bitrix24.example"
    assert message.headers["ce-specversion"] == "1.0"


@given(subject=st.text(min_size=1).filter(lambda text: text.isprintable()))
def test_any_text_survives_in_a_header(subject: str) -> None:
    raw = json.dumps(json.loads(RAW) | {"subject": subject}).encode()

    message = message_of(raw, "binary")

    assert all(" " < one <= "~" and one != '"' for one in message.headers["ce-subject"])
    assert read(message).get_subject() == subject


def test_attributes_are_written_as_their_type_says_and_null_is_left_out() -> None:
    raw = json.dumps(json.loads(RAW) | {"recovered": True, "attempt": 7, "gone": None}).encode()

    headers = message_of(raw, "binary").headers

    assert (headers["ce-recovered"], headers["ce-attempt"]) == ("true", "7")
    assert "ce-gone" not in headers


def test_an_attribute_that_others_wrote_makes_no_header_of_its_own() -> None:
    written = {
        "id": "1",
        "datacontenttype": "text/plain\r\nX-Evil: 1",
        "x\r\nx-evil": "1",
        "Traceparent": "1",
        "кот": "1",
        "": "1",
        "traceparent": "2",
        "data": {},
    }

    message = message_of(json.dumps(written).encode(), "binary")

    assert message.headers == {
        "Content-Type": "application/json",
        "ce-id": "1",
        "ce-traceparent": "2",
    }
