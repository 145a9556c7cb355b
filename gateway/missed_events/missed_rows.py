"""Finds which rows of a portal's queue did not arrive online, and makes the events that they
become. Pure.

A row says that a kind of change of a subject happened, and when last. It has arrived if consumers
were told of that kind of change after it happened: by an event of that time, or by one that came in
later, whatever time it names. Being told, they fetch the subject as it is then.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from gateway.contract import COMMENT_ADDED, COMMENT_DELETED, CommentEvent, EntityEvent
from gateway.missed_events.online_events import Key, OnlineEvent
from gateway.missed_events.queue_rows import OfflineRow
from gateway.missed_events.recovered_event import recovered_event, recovered_id
from gateway.portals.directory import Portal

__all__ = ["first_look_s", "has_arrived", "key_of", "missed", "recovered"]

_ONCE: Final = frozenset({COMMENT_ADDED, COMMENT_DELETED})
# What can happen to a subject no more than once: other entities may be restored.
_CERTAINLY_AFTER_S: Final = 2.0
# A row's time is in whole seconds, and the difference of two clocks is known to about one.
_BEFORE_S: Final = 60.0
# Entries are looked for from so long before a row's change on, whatever the clocks are like.


def key_of(member_id: str, row: OfflineRow) -> Key:
    """What is looked for on the stream."""
    return Key(member_id, str(row.subject), row.type)


def first_look_s(rows: Sequence[OfflineRow], *, clock_ahead_s: float) -> float:
    """From when on the stream is to be looked through for these rows (our clock)."""
    return min(row.changed_at for row in rows) - clock_ahead_s - _BEFORE_S


def has_arrived(
    row: OfflineRow, seen: OnlineEvent | None, *, tolerance_s: float, clock_ahead_s: float
) -> bool:
    """Whether consumers were told of it online.

    Events name a time that may be some seconds before that of their row: the portal notes both
    within one request, the row's at its end. `clock_ahead_s` is how far its clock is ahead of ours.
    """
    if seen is None:
        return False
    if row.type in _ONCE:
        return True
    return (
        seen.happened_at >= row.changed_at - tolerance_s
        or seen.received_at >= row.changed_at - clock_ahead_s + _CERTAINLY_AFTER_S
    )


def missed(
    rows: Sequence[OfflineRow],
    online: Mapping[Key, OnlineEvent],
    *,
    member_id: str,
    tolerance_s: float,
    clock_ahead_s: float,
) -> list[OfflineRow]:
    """Those that have not arrived, in their order."""
    return [
        row
        for row in rows
        if not has_arrived(
            row,
            online.get(key_of(member_id, row)),
            tolerance_s=tolerance_s,
            clock_ahead_s=clock_ahead_s,
        )
    ]


def recovered(row: OfflineRow, portal: Portal, *, found_at: datetime) -> CommentEvent | EntityEvent:
    """The event of a row; its id is the same whenever, and however often, the row is read."""
    return recovered_event(
        recovered_id(row.changed_at, portal.member_id, "offline", row.message_id, row.changed_at),
        row.type,
        row.subject,
        portal,
        happened_at=row.changed_at,
        found_at=found_at,
        user_id=row.user_id,
        fields=row.fields,
    )
