"""Makes up notices of every kind, to try templates on before real ones come."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Final, get_args

from msgspec import UNSET, to_builtins
from msgspec.structs import replace

from consumers.notifier.entity_samples import entity_events
from consumers.notifier.notices import Kind, Notice, news_of
from gateway.contract import (
    ALERT_BEGAN,
    ALERT_ENDED,
    APP_UNINSTALLED,
    COMMENT_ADDED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    ENTITY_TYPE_ID,
    EVENT_TYPES,
    PORTAL_RECOVERED,
    PORTAL_SILENT,
    PORTAL_TOKEN_EXPIRING,
    PORTAL_UNAUTHORIZED,
    PORTAL_UNBOUND,
    AlertData,
    AppData,
    AppEvent,
    Comment,
    CommentData,
    CommentEvent,
    CommentFile,
    Event,
    EventType,
    OtherEvent,
    PortalData,
    PortalEvent,
    PortalType,
    Trouble,
    decode_event,
    encode_event,
    source_of,
    wire_name_of,
)

__all__ = ["samples"]

_OWN: Final = get_args(PortalType)
_ID: Final = "01936b2e-0000-7000-8000-000000000000"
_MEMBER: Final = "0123456789abcdef0123456789abcdef"
_TIME: Final = "2025-12-18T08:18:53Z"
_TROUBLES: Final[tuple[tuple[PortalType, Trouble], ...]] = (
    (PORTAL_SILENT, "silent"),
    (PORTAL_UNBOUND, "unbound"),
    (PORTAL_TOKEN_EXPIRING, "token_expiring"),
    (PORTAL_UNAUTHORIZED, "unauthorized"),
    (PORTAL_RECOVERED, "silent"),
)
_IN_DIGEST: Final = frozenset({"a deal", "a deal's end", "a task", "contact.added"})
_ALERTS: Final = (
    AlertData(
        alert="group_behind",
        since=_TIME,
        count=1284,
        group="search-index",
        stream="events",
        oldest_s=1500,
        event_id=_ID,
        portal="acme.bitrix24.com",
    ),
    AlertData(
        alert="dead_letters",
        since=_TIME,
        count=3,
        group="search-index",
        event_id=_ID,
        portal="acme.bitrix24.com",
    ),
    AlertData(
        alert="balance_open",
        since=_TIME,
        count=7,
        where=("7: spool /var/lib/gateway/spool on receiver-1",),
    ),
)
_TEXT: Final = (
    "Call the client [b]today[/b], [user=7]Anna[/user]: the offer is at "
    "[url=https://example.com/offer]example.com[/url].\n[quote]We need it by Friday.[/quote]"
)

_LONG_TEXT: Final = _TEXT + "\n" + "They asked for [b]all of it[/b] & more: price_list *A*. " * 130
"""As long as comments get that repeat a mail: longer than most services take."""


def samples(
    events: Sequence[str] = ("*",), taken: Sequence[EventType] = EVENT_TYPES
) -> Iterator[tuple[str, tuple[Notice, ...]]]:
    """Each sample's name, and the notices of one message.

    Only those of events whose type matches one of the patterns in `events`: a route's templates
    need not know what to say of others. And only of `taken`, and of what the gateway itself says of
    portals.
    """
    coming = [row.type.replace(ENTITY_TYPE_ID, "*") for row in taken] + list(_OWN)
    for name, notices in _all(events, taken):
        fitting = tuple(
            notice for notice in notices if _is_like(decode_event(notice.raw).type, events, coming)
        )
        if fitting:
            yield name, fitting


def _is_like(event_type: str, *patterns: Sequence[str]) -> bool:
    """Whether a type matches one of each of these sequences of patterns."""
    return all(any(fnmatchcase(event_type, one) for one in some) for some in patterns)


def _all(
    patterns: Sequence[str], taken: Sequence[EventType]
) -> Iterator[tuple[str, tuple[Notice, ...]]]:
    full = Comment(
        state="present",
        text=_TEXT,
        author_id=7,
        entity_type="deal",
        entity_id=2,
        created_at=_TIME,
        files=(CommentFile(id=1, name="offer.pdf"),),
        fetched_at=_TIME,
    )
    yield "an edit", (_notice(_comment_event(COMMENT_UPDATED, full), "changed", count=3),)
    long = replace(full, text=_LONG_TEXT)
    yield "a long comment", (_notice(_comment_event(COMMENT_UPDATED, long), "changed"),)
    yield "a new comment", (_notice(_comment_event(COMMENT_ADDED, full), "added"),)
    gone = Comment(state="deleted", author_id=9, entity_type="deal", entity_id=2)
    yield "a deletion", (_notice(_comment_event(COMMENT_DELETED, gone), "deleted"),)
    yield "without the text", (_notice(_comment_event(COMMENT_UPDATED, None), "changed"),)
    unavailable = Comment(state="unavailable", reason="access_denied")
    yield "unavailable", (_notice(_comment_event(COMMENT_UPDATED, unavailable), "changed"),)
    yield "an application's end", (_notice(_app_event(), "changed"),)
    for name, event in entity_events(patterns, taken):
        yield name, (_notice(event, _kind_of(event)),)
    for event_type, trouble in _TROUBLES:
        yield (
            event_type.removeprefix("bitrix24."),
            (_notice(_portal_event(event_type, trouble), "changed"),),
        )
    for alert in _ALERTS:
        yield f"alert: {alert.alert}", (_notice(_alert_event(ALERT_BEGAN, alert), "changed"),)
    over = replace(_ALERTS[0], until="2025-12-18T09:00:00Z")
    yield "the end of an alert", (_notice(_alert_event(ALERT_ENDED, over), "changed"),)
    yield (
        "a digest",
        (
            _notice(_comment_event(COMMENT_UPDATED, full), "changed", count=2),
            _notice(_comment_event(COMMENT_ADDED, None, comment_id=1000), "added"),
            _notice(_comment_event(COMMENT_DELETED, None, comment_id=1001), "deleted"),
        ),
    )
    mixed = [event for name, event in entity_events() if name in _IN_DIGEST]
    yield "a digest of all sorts", tuple(_notice(event, _kind_of(event)) for event in mixed)


def _kind_of(event: Event) -> Kind:
    return news_of(event, b"", now_ms=0).kind


def _notice(event: Event, kind: Kind, *, count: int = 1) -> Notice:
    return Notice(
        event_id=event.id,
        raw=encode_event(event),
        first=kind,
        last=kind,
        since_ms=round(event.received_at.timestamp() * 1000),
        count=count,
    )


def _comment_event(
    event_type: str, comment: Comment | None, *, comment_id: int = 999
) -> CommentEvent:
    return CommentEvent(
        id=_ID,
        source=source_of(_MEMBER),
        type=event_type,  # type: ignore[arg-type]  # one of the three above
        subject=f"comment/{comment_id}",
        time=_TIME,
        receivedat=_TIME,
        data=CommentData(
            comment_id=comment_id,
            member_id=_MEMBER,
            domain="acme.bitrix24.com",
            user_id=7,
            comment=UNSET if comment is None else comment,
        ),
    )


def _app_event() -> AppEvent:
    return AppEvent(
        id=_ID,
        source=source_of(_MEMBER),
        type=APP_UNINSTALLED,
        subject="app",
        time=_TIME,
        receivedat=_TIME,
        data=AppData(member_id=_MEMBER, domain="acme.bitrix24.com", user_id=1),
    )


def _portal_event(event_type: PortalType, trouble: Trouble) -> PortalEvent:
    return PortalEvent(
        id=_ID,
        source=source_of(_MEMBER),
        type=event_type,
        subject="portal",
        time=_TIME,
        receivedat=_TIME,
        data=PortalData(
            member_id=_MEMBER,
            domain="acme.bitrix24.com",
            trouble=trouble,
            since="2025-12-18T06:41:00Z",
            until=_TIME if event_type == PORTAL_RECOVERED else None,
            usual_per_hour=42.0 if event_type == PORTAL_SILENT else None,
            missing=(wire_name_of(COMMENT_UPDATED),) if event_type == PORTAL_UNBOUND else (),
            reason="invalid_grant" if event_type == PORTAL_UNAUTHORIZED else None,
            expires_at="2026-01-15T08:00:00Z" if event_type == PORTAL_TOKEN_EXPIRING else None,
        ),
    )


def _alert_event(event_type: str, alert: AlertData) -> OtherEvent:
    return OtherEvent(
        id=_ID,
        source="urn:bitrix24-event-gateway",
        type=event_type,
        subject=f"alert/{alert.alert}",
        time=_TIME,
        receivedat=_TIME,
        data=to_builtins(alert),
    )
