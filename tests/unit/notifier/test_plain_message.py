"""The message that is told when a route's own templates fail: it cannot fail itself."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from consumers.notifier.message_length import Room
from consumers.notifier.notices import Notice
from consumers.notifier.rendering import Templates
from gateway.bitrix24.bbcode import Dialect
from gateway.contract import (
    Comment,
    CommentData,
    CommentEvent,
    CommentFile,
    CommentType,
    EntityData,
    EntityEvent,
    FetchedObject,
    decode_event,
    encode_event,
)

_IDS = st.integers(0, 2**63 - 1)
_TEXTS = st.text(max_size=60)
_TIMES = st.datetimes(timezones=st.just(UTC)).map(
    lambda moment: moment.isoformat().replace("+00:00", "Z")
) | st.sampled_from(["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
_COMMENTS = st.builds(
    Comment,
    state=st.sampled_from(["present", "deleted", "unavailable"]),
    text=st.none() | _TEXTS,
    text_plain=st.none() | _TEXTS,
    author_id=st.none() | _IDS,
    entity_type=st.none() | st.sampled_from(["deal", "dynamic_177", "dynamic_x"]) | _TEXTS,
    entity_id=st.none() | _IDS,
    files=st.lists(st.builds(CommentFile, id=_IDS, name=_TEXTS), max_size=3).map(tuple),
    reason=st.none() | _TEXTS,
)
_COMMENT_EVENTS = st.builds(
    CommentEvent,
    id=st.uuids().map(str),
    source=st.just("urn:bitrix24:portal"),
    type=st.sampled_from(get_args(CommentType)),
    subject=st.just("comment/1"),
    time=_TIMES,
    receivedat=_TIMES,
    data=st.builds(
        CommentData,
        comment_id=_IDS,
        member_id=_TEXTS,
        domain=_TEXTS,
        user_id=st.none() | _IDS,
        comment=_COMMENTS,
    ),
)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | _TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=4,
)
_FIELDS = st.dictionaries(
    st.sampled_from(
        ["title", "NAME", "LAST_NAME", "description", "stageId", "STATUS", "opportunity",
         "currencyId", "ASSIGNED_BY_ID", "deadline"]
    )
    | _TEXTS,
    _VALUES,
    max_size=6,
)  # fmt: skip
_ENTITY_EVENTS = st.builds(
    EntityEvent,
    id=st.uuids().map(str),
    source=st.just("urn:bitrix24:portal"),
    type=st.sampled_from(["deal.updated", "task.deleted", "item.9.moved"]).map(
        "bitrix24.{}".format
    ),
    subject=st.sampled_from(["deal/77", "task/5", "task", "item.1032/6", "chat/chat17", "x/"]),
    time=_TIMES,
    receivedat=_TIMES,
    data=st.builds(
        EntityData,
        member_id=_TEXTS,
        domain=_TEXTS,
        user_id=st.none() | _IDS,
        fields=st.just({}),
        object=st.builds(
            FetchedObject,
            state=st.sampled_from(["present", "deleted", "unavailable"]),
            fields=_FIELDS,
            reason=st.none() | _TEXTS,
        ),
    ),
)
_EVENTS = _COMMENT_EVENTS | _ENTITY_EVENTS
_ZONES = ("Europe/Berlin", "America/New_York")
_ROOM = Room(60, 160, lambda title, body: len(title) + len(body))


@cache
def templates_of(dialect: Dialect, language: Any, zone: str) -> Templates:
    return Templates(
        {},
        language=language,
        dialect=dialect,
        title_dialect=dialect,
        zone=ZoneInfo(zone),
        name="route",
    )


def told_in_full(notice: Notice, templates: Templates, room: Room | None) -> None:
    for notices in ([notice], [notice] * 3):
        for message in (
            templates.plain_message(notices, room),
            templates.words(notices, room, max_text=0),
        ):
            assert message.title
            assert message.body


def _event(time: str) -> CommentEvent:
    return CommentEvent(
        id="e1",
        source="urn:bitrix24:portal",
        type="bitrix24.crm.timeline.comment.updated",
        subject="comment/1",
        time=time,
        receivedat=time,
        data=CommentData(comment_id=1, member_id="portal", domain="acme.bitrix24.com"),
    )


# The first of each kind compiles its templates, and a bounded message is rendered a dozen times.
@settings(deadline=None, max_examples=30)
@given(
    _EVENTS,
    st.integers(1, 1000),
    st.sampled_from([None, _ROOM]),
    st.tuples(
        st.sampled_from(get_args(Dialect)), st.sampled_from(["en", "ru"]), st.sampled_from(_ZONES)
    ),
)
@example(_event("9999-12-31T23:59:59Z"), 1, None, ("html", "en", "Europe/Berlin"))
@example(_event("0001-01-01T00:00:00Z"), 1, _ROOM, ("text", "ru", "America/New_York"))
def test_every_event_about_a_comment_can_be_told(
    event: CommentEvent, count: int, room: Room | None, key: Any
) -> None:
    raw = encode_event(event)
    notice = Notice(
        event_id=event.id, raw=raw, first="added", last="changed", since_ms=0, count=count
    )

    told_in_full(notice, templates_of(*key), room)


def test_a_time_that_a_zone_does_not_have_is_left_out() -> None:
    raw = encode_event(_event("9999-12-31T23:59:59Z"))
    notice = Notice(event_id="e1", raw=raw, first="changed", last="changed", since_ms=0)
    assert decode_event(raw).occurred_at == datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

    assert templates_of("text", "en", "UTC").message([notice]).body == (
        "Comment 1 was updated, 31 Dec 9999 23:59 UTC."
    )
    berlin = templates_of("text", "en", "Europe/Berlin")
    assert berlin.message([notice]).body == "Comment 1 was updated."
    assert berlin.message([notice] * 2).body.splitlines() == ["• comment 1 updated"] * 2
