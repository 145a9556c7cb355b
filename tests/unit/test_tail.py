import json
from typing import Any

import pytest
from msgspec import UNSET

from gateway.contract import (
    COMMENT_UPDATED,
    AppData,
    AppEvent,
    Comment,
    CommentData,
    CommentEvent,
    EntityData,
    EntityEvent,
    EventSelection,
    FetchedObject,
    OtherEvent,
    Streams,
    encode_event,
    source_of,
)
from gateway.ops.entry_lines import ReadEntry, as_json, as_line, is_meant, keys_of

HEAD: dict[str, Any] = {
    "id": "01936b2e-0000-7000-8000-000000000001",
    "source": source_of("m1"),
    "subject": "comment/999",
    "time": "2025-12-18T08:18:53Z",
    "receivedat": "2025-12-18T08:18:53.412Z",
}
DATA: dict[str, Any] = {"comment_id": 999, "member_id": "m1", "domain": "acme.bitrix24.com"}
UPDATED = CommentEvent(**HEAD, type=COMMENT_UPDATED, data=CommentData(**DATA, user_id=7))
INSTALLED = AppEvent(
    **HEAD | {"subject": "app"},
    type="bitrix24.app.installed",
    data=AppData(member_id="m2", domain="two.example"),
)
OTHER = OtherEvent(**HEAD, type="bitrix24.crm.deal.moved")


def entry(event: Any, **fields: str) -> ReadEntry:
    raw = event if isinstance(event, bytes) else encode_event(event)
    return ReadEntry(
        stream="b24:events:{0}",
        id="1766045933412-0",
        fields={b"event": raw, **{name.encode(): text.encode() for name, text in fields.items()}},
        event=None if isinstance(event, bytes) else event,
    )


def commented(comment: Comment) -> ReadEntry:
    return entry(
        CommentEvent(**HEAD, type=COMMENT_UPDATED, data=CommentData(**DATA, comment=comment))
    )


def test_a_line_tells_when_what_which_where_who_and_the_ids() -> None:
    assert as_line(entry(UPDATED)) == (
        "08:18:53.412  comment.updated  comment/999  acme.bitrix24.com  user 7  "
        "01936b2e-0000-7000-8000-000000000001  entry 1766045933412-0"
    )
    assert "app.installed  app  two.example  0193" in as_line(entry(INSTALLED))
    assert "crm.deal.moved  comment/999  0193" in as_line(entry(OTHER))


def test_a_line_shows_the_beginning_of_a_comment() -> None:
    assert "  present 'Call back'  " in as_line(
        commented(Comment(state="present", text="[b]Call[/b] back", text_plain="Call back"))
    )
    assert f"  present '{'x' * 79}…'  " in as_line(
        commented(Comment(state="present", text="x" * 5000))
    )
    assert "  deleted  0193" in as_line(commented(Comment(state="deleted")))


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (None, "acme.bitrix24.com  user 7  0193"),
        (
            FetchedObject(state="present", fields={"title": "Ninety desks"}),
            "present 'Ninety desks'",
        ),
        (FetchedObject(state="present", fields={"ID": "5", "NAME": "Oak"}), "present 'Oak'"),
        (FetchedObject(state="present", fields={"id": 5, "title": None}), "present  0193"),
        (FetchedObject(state="unavailable", reason="access_denied"), "unavailable  0193"),
    ],
)
def test_a_line_shows_who_acted_and_the_name_of_a_deal(
    found: FetchedObject | None, shown: str
) -> None:
    data = EntityData(
        member_id="m1",
        domain="acme.bitrix24.com",
        user_id=7,
        fields={},
        object=UNSET if found is None else found,
    )
    event = EntityEvent(**HEAD | {"subject": "deal/5"}, type="bitrix24.crm.deal.moved", data=data)

    assert f"  {shown}" in as_line(entry(event))
    assert "crm.deal.moved  deal/5  acme.bitrix24.com  user 7  " in as_line(entry(event))


def test_a_dead_letter_tells_why() -> None:
    dead = entry(
        UPDATED,
        group="notifier",
        attempts="5",
        reason="failed",
        error="Timeout: no answer",
        failed_at="2025-12-18T08:19:00Z",
    )

    assert as_line(dead).endswith("dead in notifier after 5 attempts: failed: Timeout: no answer")
    assert json.loads(as_json(dead))["fields"]["reason"] == "failed"


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\x07", "\u202e"])
def test_nothing_in_an_event_can_command_the_terminal(text: str) -> None:
    for hostile in (
        commented(Comment(state="present", text=text)),
        entry(AppEvent(**HEAD, type=INSTALLED.type, data=AppData(member_id="m", domain=text))),
        entry(UPDATED, failed_at="x", error=text),
    ):
        assert as_line(hostile).isprintable()
        assert min(as_json(hostile)) >= " "


def test_json_is_the_event_as_it_stands_on_the_stream() -> None:
    told = json.loads(as_json(entry(UPDATED)))

    assert (told["stream"], told["entry_id"]) == ("b24:events:{0}", "1766045933412-0")
    assert told["event"] == json.loads(encode_event(UPDATED))


def test_what_is_no_event_is_shown_as_it_is() -> None:
    broken = entry(b"\xff{")

    assert as_line(broken) == "not an event  entry 1766045933412-0"
    assert json.loads(as_json(broken))["raw"] == "\ufffd{"


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        (EventSelection(), [UPDATED, INSTALLED, OTHER, b"x"]),
        (EventSelection(type="comment.updated"), [UPDATED]),
        (EventSelection(type="bitrix24.crm.timeline.comment.updated"), [UPDATED]),
        (EventSelection(type="app.*"), [INSTALLED]),
        (EventSelection(type="crm.*"), [UPDATED, OTHER]),
        (EventSelection(portal="m1"), [UPDATED, OTHER]),
        (EventSelection(portal="two.example"), [INSTALLED]),
        (EventSelection(portal="m1", type="app.*"), []),
        (EventSelection(event_id=HEAD["id"]), [UPDATED, INSTALLED, OTHER]),
        (EventSelection(event_id="other"), []),
    ],
)
def test_filters_narrow_what_is_shown(wanted: EventSelection, shown: list[Any]) -> None:
    every = [UPDATED, INSTALLED, OTHER, b"x"]

    assert [event for event in every if is_meant(entry(event), wanted)] == shown


def test_a_stream_is_named_as_in_the_design() -> None:
    streams = Streams(partitions=2)

    assert keys_of("events", streams) == ("b24:events:{0}", "b24:events:{1}")
    assert keys_of("dead:notifier", streams)[0] == "b24:dead:notifier:{0}"
    for name in ("event", "dead", "dead:", "", "events:0"):
        with pytest.raises(ValueError, match="must be events, comments or dead:<group>"):
            keys_of(name, streams)
