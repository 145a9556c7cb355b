"""Reads how long a server that was asked over HTTP wants to be left alone. Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["retry_after_s"]


def retry_after_s(header: str | None, *, now: datetime, most_s: float) -> float | None:
    """The seconds that a `Retry-After` asks for, at most `most_s`; None if it says nothing useful.

    Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after. Some services send
    fractions of seconds.
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (moment.astimezone(UTC) - now).total_seconds()
    return min(seconds, most_s) if seconds >= 0 else None
