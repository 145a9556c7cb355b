"""Keeps account of what is to be told about one comment, deal, …, with each new event. Pure.

A notice is all that a target has not been told yet about one of them. Edits join it; a deletion
withdraws it. While a notice is being sent it is leased, and what happens meanwhile stands behind
it. One that may have arrived, though nobody said so, stays leased until it is sent again as it was:
with what came since it would be another message, which no receiver knows for the same.
"""

from typing import Final, Literal

import msgspec
from msgspec import UNSET, Struct

from gateway.contract import CommentEvent, EntityEvent, Event

__all__ = [
    "Kind",
    "News",
    "Notice",
    "decoded",
    "encoded",
    "given_back",
    "held",
    "key_of",
    "merged",
    "news_of",
    "not_accepted",
    "overtaken",
    "replaced",
    "sent",
]

Kind = Literal["added", "changed", "deleted", "gone"]


class News(Struct, frozen=True, kw_only=True):
    """An event as the notices see it.

    `gone` is what was already deleted when it was fetched: there is nothing to show, and its
    deletion is an event of its own.
    """

    event_id: str
    raw: bytes
    kind: Kind
    at_ms: int


class Notice(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a target has not been told yet about one comment, deal, ….

    `event_id` and `raw` are the newest event's; `first` and `last` say what happened first and
    last, `count` how many events there were, and `since_ms` when the first of them was taken up, or
    when a later one was by a clock that had been ahead before.
    `is_held` marks what quiet hours or the hourly cap kept back. `lease` names the attempt to send
    it that is under way, or was the last; `behind` came since that began, and `is_withdrawn` says
    that the comment was deleted since. `is_unsure` says that it may have arrived already.
    """

    event_id: str
    raw: bytes
    first: Kind
    last: Kind
    since_ms: int
    count: int = 1
    tries: int = 0
    is_held: bool = False
    lease: str = ""
    is_withdrawn: bool = False
    is_unsure: bool = False
    behind: "Notice | None" = None


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Notice)


def encoded(notice: Notice | None) -> bytes:
    """The bytes that stand in Redis; none for no notice."""
    return b"" if notice is None else _encoder.encode(notice)


def decoded(value: bytes | None) -> Notice | None:
    """The opposite of `encoded`."""
    return _decoder.decode(value) if value else None


def key_of(event: Event) -> str:
    """What a notice is about: a comment, a deal, … of a portal, or else the one event."""
    if isinstance(event, CommentEvent):
        return f"{event.data.member_id}:{event.data.comment_id}"
    if isinstance(event, EntityEvent) and "/" in event.subject:
        return f"{event.data.member_id}:{event.subject}"
    return event.id


def news_of(event: Event, raw: bytes, *, now_ms: int) -> News:
    """The event as the notices see it."""
    action = event.type.rpartition(".")[2]
    kind: Kind = "changed"
    if isinstance(event, CommentEvent | EntityEvent):
        found = event.data.comment if isinstance(event, CommentEvent) else event.data.object
        if action == "deleted":
            kind = "deleted"
        elif found is not UNSET and found.state == "deleted":
            kind = "gone"
        elif action == "added":
            kind = "added"
    return News(event_id=event.id, raw=raw, kind=kind, at_ms=now_ms)


def merged(waiting: Notice | None, news: News, *, is_wanted: bool) -> Notice | None:
    """What is to be told now, where `waiting` was.

    `is_wanted` says whether the route asked for the new event itself. A deletion withdraws what is
    waiting in any case: a comment that was added and deleted before anything about it was sent
    leaves no trace, and of one that was edited and deleted only the deletion is told.
    """
    is_over = news.kind in {"deleted", "gone"}
    if waiting is None:
        return _fresh(news) if is_wanted and news.kind != "gone" else None
    if waiting.lease:
        return msgspec.structs.replace(
            waiting,
            behind=merged(waiting.behind, news, is_wanted=is_wanted),
            is_withdrawn=waiting.is_withdrawn or is_over,
        )
    if is_over:
        if waiting.first == "added" or not is_wanted or news.kind == "gone":
            return None
        return msgspec.structs.replace(_fresh(news), since_ms=min(waiting.since_ms, news.at_ms))
    return _joined(waiting, _fresh(news)) if is_wanted else waiting


def replaced(waiting: Notice | None, news: News) -> tuple[str, str] | None:
    """The event that is not told of by itself any more since `news` was merged, and why not.

    None if there is none: what is being sent, is told of.
    """
    while waiting is not None and waiting.lease:
        waiting = waiting.behind
    if waiting is None or waiting.event_id == news.event_id:
        return None
    word = "withdrawn" if news.kind in {"deleted", "gone"} else "joined"
    return waiting.event_id, f"{word} {news.event_id}"


def sent(notice: Notice) -> Notice | None:
    """What is still to be told after the leased notice was delivered."""
    return notice.behind


def not_accepted(notice: Notice, *, is_unsure: bool) -> Notice | None:
    """What is still to be told after an attempt that failed, if it is certain that it did."""
    if not (is_unsure or notice.is_unsure):
        return given_back(notice)
    unsure = msgspec.structs.replace(notice, is_unsure=True, tries=notice.tries + 1)
    return overtaken(unsure) if notice.is_withdrawn else unsure


def overtaken(notice: Notice) -> Notice | None:
    """What is still to be told where a leased notice, which may have arrived, was withdrawn."""
    return notice.behind


def held(notice: Notice) -> Notice:
    """The notice, kept back until later."""
    return msgspec.structs.replace(notice, is_held=True)


def given_back(notice: Notice) -> Notice | None:
    """What is still to be told after the leased notice was not delivered."""
    free = msgspec.structs.replace(
        notice, lease="", behind=None, is_withdrawn=False, tries=notice.tries + 1
    )
    if not notice.is_withdrawn:
        return free if notice.behind is None else _joined(free, notice.behind)
    # The deletion, if it was asked for, stands behind; nobody was told of a comment just added.
    return None if notice.first == "added" else notice.behind


def _fresh(news: News) -> Notice:
    return Notice(
        event_id=news.event_id,
        raw=news.raw,
        first=news.kind,
        last=news.kind,
        since_ms=news.at_ms,
    )


def _joined(old: Notice, new: Notice) -> Notice:
    return msgspec.structs.replace(
        old,
        event_id=new.event_id,
        raw=new.raw,
        last=new.last,
        count=old.count + new.count,
        since_ms=min(old.since_ms, new.since_ms),
    )
