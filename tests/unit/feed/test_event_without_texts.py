"""Who may not see texts sees what happened to what, and no word that anybody wrote."""

import json
from typing import Any

import msgspec
import pytest

from consumers.feed.event_without_texts import without_texts
from consumers.feed.feed_entry import entry_of
from consumers.testing import app_event, portal_event
from consumers.testing.event_factories import comment_event
from gateway.contract import Comment, CommentFile, encode_event

SENTINEL = "fake-private-words"


def reduced(event: Any) -> dict[str, Any]:
    raw = event if isinstance(event, bytes) else encode_event(event)
    written: dict[str, Any] = json.loads(without_texts(raw))
    assert SENTINEL not in json.dumps(written)
    return written


def test_a_comment_keeps_who_and_what_and_loses_its_words() -> None:
    comment = Comment(
        state="present",
        text=SENTINEL,
        text_plain=SENTINEL,
        author_id=7,
        entity_type="deal",
        entity_id=77,
        files=(CommentFile(id=1, name=SENTINEL),),
        content_hash="abc",
        fetched_at="2026-01-01T00:00:00Z",
    )
    written = reduced(comment_event(9, comment=comment))

    assert written["subject"] == "comment/9"
    kept = written["data"]["comment"]
    assert (kept["state"], kept["author_id"], kept["entity_id"]) == ("present", 7, 77)
    assert (kept["text"], kept["files"], kept["content_hash"]) == (None, [], "abc")


def test_an_entity_loses_its_fields_and_its_object() -> None:
    event = {
        "specversion": "1.0",
        "id": "01936b2e-0000-7000-8000-000000000000",
        "source": "urn:bitrix24:portal",
        "type": "bitrix24.crm.deal.updated",
        "subject": "deal/77",
        "time": "2026-01-01T00:00:00Z",
        "receivedat": "2026-01-01T00:00:00.000Z",
        "datacontenttype": "application/json",
        "data": {
            "member_id": "portal",
            "domain": "portal.example",
            "user_id": 1,
            "event_handler_id": 2,
            "fields": {"FIELDS": {"TITLE": SENTINEL}},
            "object": {"state": "present", "fields": {"TITLE": SENTINEL}, "content_hash": "h"},
            "later": SENTINEL,
        },
        "laterattribute": SENTINEL,
    }
    written = reduced(msgspec.json.encode(event))

    assert "laterattribute" not in written
    assert (written["type"], written["subject"]) == ("bitrix24.crm.deal.updated", "deal/77")
    data = written["data"]
    assert (data["member_id"], data["user_id"], data["fields"]) == ("portal", 1, {})
    assert (data["object"]["state"], data["object"]["content_hash"]) == ("present", "h")
    assert not data["object"].get("fields")


def test_an_event_of_an_unknown_type_keeps_ids_alone() -> None:
    event = json.loads(encode_event(portal_event()))
    event["type"] = "bitrix24.later.happened"
    event["data"] = {
        "member_id": "portal",
        "user_id": 7,
        "domain": {"what": SENTINEL},
        "words": SENTINEL,
    }
    written = reduced(msgspec.json.encode(event))

    assert written["data"] == {"member_id": "portal", "user_id": 7}


@pytest.mark.parametrize("event", [app_event(), portal_event()], ids=["app", "portal"])
def test_events_without_words_stay_as_they_are(event: Any) -> None:
    assert reduced(event) == json.loads(encode_event(event))


def test_an_event_that_is_written_in_lines_becomes_one_line() -> None:
    pretty = msgspec.json.format(encode_event(comment_event(1)), indent=2)
    entry = entry_of(0, b"1-0", 1, {b"event": pretty})

    assert b"\n" not in entry.raw
    assert json.loads(entry.raw) == json.loads(pretty)


def test_an_entry_that_was_there_before_says_so() -> None:
    fields = {b"event": encode_event(comment_event(1)), b"kind": b"replay"}

    assert json.loads(entry_of(0, b"1-0", 1, fields).raw)["kind"] == "replay"


@pytest.mark.parametrize("fields", [{}, {b"event": b"{}"}, {b"event": b"\xff"}, {b"x": b"1"}])
def test_what_is_no_event_is_kept_as_nothing(fields: dict[bytes, bytes]) -> None:
    entry = entry_of(3, b"7-1", 9, fields)

    assert (entry.raw, entry.partition, entry.number) == (b"", 3, 9)
