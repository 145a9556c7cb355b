"""Events are read by the class of their type, whatever else in them looks like a type."""

import msgspec
import pytest

from consumers.testing import comment_event
from gateway.contract import (
    COMMENT_ADDED,
    EntityData,
    EntityEvent,
    InvalidEvent,
    OtherEvent,
    decode_event,
    encode_event,
)


def changed(**fields: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(encode_event(comment_event(7))) | fields)


def test_a_comment_is_read_as_one_however_its_json_is_written() -> None:
    event = comment_event(7)
    assert decode_event(encode_event(event)) == event
    assert decode_event(msgspec.json.format(encode_event(event), indent=2)) == event


def test_an_event_that_quotes_a_comments_type_is_of_its_own_type() -> None:
    event = decode_event(changed(type="a.type.of.tomorrow", data={"type": COMMENT_ADDED}))
    assert isinstance(event, OtherEvent)
    assert event.data == {"type": COMMENT_ADDED}


def test_a_type_of_comments_that_is_not_known_is_another_event() -> None:
    event = decode_event(changed(type="bitrix24.crm.timeline.comment.pinned"))
    assert isinstance(event, OtherEvent)


def test_a_type_given_twice_is_the_last_one() -> None:
    raw = encode_event(comment_event(7))
    assert isinstance(decode_event(raw[:-1] + b',"type":"a.type.of.tomorrow"}'), OtherEvent)


def test_a_comment_that_lacks_what_its_type_has_is_no_event() -> None:
    with pytest.raises(InvalidEvent, match="comment_id"):
        decode_event(changed(data={"member_id": "portal", "domain": "acme.example"}))


def test_a_part_of_a_larger_message_is_read_without_a_copy() -> None:
    class Letter(msgspec.Struct):
        event: msgspec.Raw

    event = comment_event(7)
    letter = msgspec.json.decode(b'{"event":' + encode_event(event) + b"}", type=Letter)
    assert decode_event(letter.event) == event


def test_an_event_about_an_entity_is_known_by_its_data() -> None:
    raw = encode_event(
        EntityEvent(
            id="0193cd8e-7e40-7000-8000-000000000001",
            source="urn:bitrix24:010b6886ebc205e43ae65000ee00addb",
            type="bitrix24.crm.deal.updated",
            subject="deal/77",
            time="2025-12-18T08:18:53Z",
            receivedat="2025-12-18T08:18:53.412Z",
            data=EntityData(
                member_id="010b6886ebc205e43ae65000ee00addb",
                domain="acme.bitrix24.com",
                fields={"FIELDS": {"ID": "77"}},
            ),
        )
    )

    event = decode_event(raw)

    assert isinstance(event, EntityEvent)
    assert event.data.fields == {"FIELDS": {"ID": "77"}}
    assert isinstance(decode_event(raw.replace(b'"fields":{', b'"elds":{')), OtherEvent)
