"""Makes ids of events that were received at a moment."""

from datetime import datetime
from uuid import UUID

__all__ = ["id_at"]


def id_at(moment: datetime, number: int) -> str:
    """A UUIDv7 of that moment."""
    return str(UUID(int=int(moment.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number))
