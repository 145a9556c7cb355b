"""Says what templates are told of notices. Pure."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from consumers.notifier.bbcode_text import BBCode
from consumers.notifier.entity_values import entity_of, page_of
from consumers.notifier.notices import Notice
from consumers.notifier.portal_domains import Domains
from gateway.bitrix24.shortening import shortened
from gateway.contract import (
    ALERT_BEGAN,
    ALERT_ENDED,
    AlertData,
    AppEvent,
    CommentEvent,
    EntityEvent,
    Event,
    PortalEvent,
    decode_event,
    timestamps,
)

__all__ = ["item_of"]


def item_of(
    notice: Notice, zone: ZoneInfo, domains: Domains, *, max_text: int | None = None
) -> dict[str, Any]:
    """What a template is told of one notice; docs/notifier.md lists it.

    The portal is called, and linked to, as `domains` has it. Of a text, a template is told at most
    so many characters. Does not raise, whatever the event says: a time that a zone's calendar does
    not have is None.
    """
    event = decode_event(notice.raw)
    named = _text(_said(event, "domain"))
    domain = domains.find(_text(_said(event, "member_id"))) or named
    about: dict[str, Any] = {
        "event": {
            "id": event.id,
            "type": event.type,
            "subject": event.subject,
            "action": event.type.rpartition(".")[2],
            "time": _local(event.time, zone),
            "data": event.data if isinstance(event.data, dict) else {},
            "fields": event.data.fields if isinstance(event, EntityEvent) else {},
        },
        "count": notice.count,
        "is_new": notice.first == "added",
        "is_held": notice.is_held,
        "portal": domain or event.source,
        "sent_domain": named if named != domain else None,
        "user_id": _said(event, "user_id"),
        "comment": None,
        "entity": None,
        "trouble": None,
        "alert": _alert(event, zone) if event.type in {ALERT_BEGAN, ALERT_ENDED} else None,
    }
    if isinstance(event, CommentEvent):
        about["comment"] = _comment(event, domain, max_text)
    elif isinstance(event, PortalEvent):
        about["trouble"] = _trouble(event, zone)
    elif not isinstance(event, AppEvent):
        about["entity"] = entity_of(event, domain, zone, max_text)
    return about


def _said(event: Event, name: str) -> Any:
    """What an event's data say under a name; None where they do not."""
    data = event.data
    return data.get(name) if isinstance(data, dict) else getattr(data, name, None)


def _text(value: Any) -> str:
    """The value if it is a text, for data of unknown types may hold anything."""
    return value if isinstance(value, str) else ""


def _local(text: str | None, zone: ZoneInfo) -> datetime | None:
    try:
        return None if text is None else timestamps.moment_of(text).astimezone(zone)
    except (ValueError, OverflowError):  # such as the last hour of the year 9999, east of UTC
        return None


def _comment(event: CommentEvent, domain: str, max_text: int | None) -> dict[str, Any]:
    data = event.data
    comment = None if data.comment is UNSET else data.comment
    text = (comment.text or comment.text_plain or "") if comment else ""
    if comment is not None and comment.state == "unavailable":
        text = ""
    entity_type = comment.entity_type if comment else None
    entity_id = comment.entity_id if comment else None
    return {
        "id": data.comment_id,
        "state": comment.state if comment else None,
        "reason": comment.reason if comment else None,
        "text": BBCode(text if max_text is None or not text else shortened(text, max_text)),
        "author_id": comment.author_id if comment else None,
        "entity_type": entity_type,
        "entity_id": entity_id,
        "files": [file.name for file in comment.files] if comment else [],
        "cut": list(comment.cut) if comment else [],
        "url": page_of(domain, entity_type, entity_id),
    }


def _trouble(event: PortalEvent, zone: ZoneInfo) -> dict[str, Any]:
    data = event.data
    since, until, expires_at = (
        _local(text, zone) for text in (data.since, data.until, data.expires_at)
    )
    usual = data.usual_per_hour
    return {
        "name": data.trouble,
        "since": since,
        "until": until,
        "usual_per_hour": None if usual is None else round(usual, 1 if usual < 10 else None),
        "missing": list(data.missing),
        "is_mended": data.is_mended,
        "expires_at": expires_at,
        "reason": data.reason,
    }


def _alert(event: Event, zone: ZoneInfo) -> dict[str, Any] | None:
    try:
        data = msgspec.convert(event.data, AlertData)
    except msgspec.ValidationError:  # of another version
        return None
    return {
        "name": data.alert,
        "is_over": event.type == ALERT_ENDED,
        "since": _local(data.since, zone),
        "until": _local(data.until, zone),
        "count": data.count,
        "group": data.group,
        "stream": data.stream,
        "oldest_minutes": None if data.oldest_s is None else data.oldest_s // 60,
        "event_id": data.event_id,
        "portal": data.portal,
        "where": list(data.where),
    }
