"""Reads the time in an event's id, by which the event is found without reading all that there is.

An id is a UUIDv7, which begins with milliseconds since 1970:
https://www.rfc-editor.org/rfc/rfc9562.html#name-uuid-version-7
"""

from datetime import UTC, datetime
from uuid import UUID

__all__ = ["moment_in"]


def moment_in(event_id: str) -> datetime | None:
    """When the event was received, by the receiver's clock; None for an id without a time.

    It was stored at that moment or afterwards: minutes or hours afterwards if it waited in a spool,
    and days if it was missed and recovered, for then the id has the time at which it happened.
    """
    try:
        number = UUID(event_id)
        if number.version != 7:
            return None
        return datetime.fromtimestamp((number.int >> 80) / 1000, UTC)
    except (ValueError, OverflowError, OSError):  # no UUID, or a time that no calendar has
        return None
