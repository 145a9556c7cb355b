"""Which rows of a portal's queue did not arrive online, and the events that they become. Pure.

A row says that a kind of change of a comment happened, and when last. It has arrived if consumers
were told of that kind of change after it happened: by an event of that time, or by one that came in
later, whatever time it names. Being told, they fetch the comment as it is then.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from gateway.contract import COMMENT_UPDATED, CommentData, CommentEvent, source_of
from gateway.reconciling.offline_rows import OfflineRow
from gateway.reconciling.sightings import Key, Sighting

__all__ = ["first_look_s", "has_arrived", "key_of", "missed", "recovered_event", "recovered_id"]

_CERTAINLY_AFTER_S: Final = 2.0
# A row's time is in whole seconds, and the difference of two clocks is known to about one.
_BEFORE_S: Final = 60.0
# Entries are looked for from so long before a row's change on, whatever the clocks are like.


def key_of(member_id: str, row: OfflineRow) -> Key:
    """What is looked for on the stream."""
    return Key(member_id, row.comment_id, row.type)


def first_look_s(rows: Sequence[OfflineRow], *, clock_ahead_s: float) -> float:
    """From when on the stream is to be looked through for these rows (our clock)."""
    return min(row.changed_at for row in rows) - clock_ahead_s - _BEFORE_S


def has_arrived(
    row: OfflineRow, sighting: Sighting | None, *, tolerance_s: float, clock_ahead_s: float
) -> bool:
    """Whether consumers were told of it online.

    Events name a time that may be some seconds before that of their row: the portal notes both
    within one request, the row's at its end. `clock_ahead_s` is how far its clock is ahead of ours.
    """
    if sighting is None:
        return False
    if row.type != COMMENT_UPDATED:
        return True  # a comment is added once, and deleted once
    return (
        sighting.happened_at >= row.changed_at - tolerance_s
        or sighting.received_at >= row.changed_at - clock_ahead_s + _CERTAINLY_AFTER_S
    )


def missed(
    rows: Sequence[OfflineRow],
    sightings: Mapping[Key, Sighting],
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
            sightings.get(key_of(member_id, row)),
            tolerance_s=tolerance_s,
            clock_ahead_s=clock_ahead_s,
        )
    ]


def recovered_event(row: OfflineRow, *, member_id: str, domain: str, now: datetime) -> CommentEvent:
    """The event of a row; its id is the same whenever, and however often, the row is read."""
    return CommentEvent(
        id=recovered_id(row.changed_at, member_id, "offline", row.message_id, str(row.changed_at)),
        source=source_of(member_id),
        type=row.type,
        subject=f"comment/{row.comment_id}",
        time=datetime.fromtimestamp(row.changed_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        receivedat=_milliseconds(now),
        recovered=True,
        data=CommentData(
            comment_id=row.comment_id, member_id=member_id, domain=domain, user_id=row.user_id
        ),
    )


def recovered_id(at: float, *parts: str) -> str:
    """An id that follows from what is given: a UUIDv7 of that time (Unix seconds), whose other bits
    are a digest of the parts instead of chance.

    https://www.rfc-editor.org/rfc/rfc9562.html#name-uuid-version-7
    """
    digest = int.from_bytes(sha256("\n".join(parts).encode()).digest()[:10])
    number = (int(at * 1000) & (1 << 48) - 1) << 80 | digest
    number = number & ~(0xF << 76) | 0x7 << 76
    return str(UUID(int=number & ~(0x3 << 62) | 0x2 << 62))


def _milliseconds(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
