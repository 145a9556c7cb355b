"""Says what became of an event at the targets of the notifier, from what that keeps of it.

The layout is consumers.notifier.outbox's; whoever changes it there changes it here, and
tests/integration/explanation/test_notifications.py lets a notifier write what is read here.
"""

from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import CommentEvent, EntityEvent, Event, timestamps
from gateway.explanation.event_way import NotificationOutcome
from gateway.ops.entry_lines import ReadEntry
from gateway.settings import Settings

__all__ = ["notifications_of"]

_MOST_JOINED: Final = 50
"""How many later changes of one subject are followed to the message that told of all of them."""


class _Notice(Struct, frozen=True):
    """What is read of a notice that waits."""

    event_id: str
    tries: int = 0
    is_held: bool = False
    lease: str = ""
    behind: "_Notice | None" = None


async def notifications_of(
    redis: Redis, settings: Settings, entry: ReadEntry
) -> list[NotificationOutcome]:
    """What each target of these settings was told of an event, or is to be told."""
    prefix = settings.redis.prefix
    names = [
        f"{route.name or number}/{target}"
        for number, route in enumerate(settings.notifier.routes, 1)
        for target in range(1, len(route.urls) + 1)
    ]
    return [await _of_target(redis, f"{prefix}:notifier:{{{name}}}", name, entry) for name in names]


async def _of_target(
    redis: Redis, outbox: str, target: str, entry: ReadEntry
) -> NotificationOutcome:
    event = entry.event
    assert event is not None  # noqa: S101 - it was found by its id
    event_id, mark = event.id, await _mark(redis, outbox, event.id)
    if not mark:
        return NotificationOutcome(target=target, state="not taken")
    for _ in range(_MOST_JOINED):
        word, _, later = mark.partition(" ")
        if word != "joined" or not (next_mark := await _mark(redis, outbox, later)):
            break
        event_id, mark = later, next_mark
    by_event = None if event_id == event.id else event_id
    word, _, rest = mark.partition(" ")
    at, _, reason = rest.partition(" ")
    match word:
        case "sent":
            return NotificationOutcome(target=target, state="sent", at=_time(at), by_event=by_event)
        case "given-up":
            return NotificationOutcome(
                target=target, state="given up", at=_time(at), reason=reason, by_event=by_event
            )
        case "withdrawn":
            return NotificationOutcome(target=target, state="withdrawn", by_event=rest)
        case "joined":
            return NotificationOutcome(target=target, state="joined", by_event=rest)
    return await _waiting(
        redis, outbox, _key_of(event), target=target, event_id=event_id, by_event=by_event
    )


def _key_of(event: Event) -> str:
    """What a notice is about, as consumers.notifier.notices has it."""
    if isinstance(event, CommentEvent):
        return f"{event.data.member_id}:{event.data.comment_id}"
    if isinstance(event, EntityEvent) and "/" in event.subject:
        return f"{event.data.member_id}:{event.subject}"
    return event.id


async def _waiting(
    redis: Redis, outbox: str, key: str, *, target: str, event_id: str, by_event: str | None
) -> NotificationOutcome:
    """What is still to be told; nothing, if it is not there any more and nobody noted why."""
    asked: Any = redis.hget(f"{outbox}:notices", key)
    value = await asked
    due_ms = await redis.zscore(f"{outbox}:due", key)
    notice = msgspec.msgpack.decode(value, type=_Notice) if value else None
    while notice is not None and notice.event_id != event_id and notice.behind is not None:
        notice = notice.behind
    if notice is None:
        return NotificationOutcome(target=target, state="taken", by_event=by_event)
    at = timestamps.milliseconds(int(due_ms)) if due_ms is not None else None
    if notice.event_id != event_id:
        return NotificationOutcome(
            target=target, state="joined", at=at, tries=notice.tries, by_event=notice.event_id
        )
    if notice.lease:
        return NotificationOutcome(
            target=target, state="being sent", tries=notice.tries, by_event=by_event
        )
    return NotificationOutcome(
        target=target,
        state="held" if notice.is_held else "waits",
        at=at,
        tries=notice.tries,
        by_event=by_event,
    )


async def _mark(redis: Redis, outbox: str, event_id: str) -> str:
    value: Any = await redis.get(f"{outbox}:taken:{event_id}")
    return value.decode(errors="replace") if value else ""


def _time(text: str) -> str | None:
    return timestamps.milliseconds(int(text)) if text.isdecimal() else None
