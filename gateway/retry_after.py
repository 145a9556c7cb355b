"""Reads how long a server that was asked over HTTP wants to be left alone. Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

__all__ = ["retry_after_s"]


def retry_after_s(header: str | None, *, now: datetime, most_s: float) -> float | None:
    """The seconds that a `Retry-After` asks for, at most `most_s`; None if it says nothing useful.

    Seconds or a date: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after. Some services send
    fractions of seconds. A date without a zone is UTC; one that no calendar has says nothing.
    """
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            moment = parsedate_to_datetime(header)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = (moment - now).total_seconds()
        except (ValueError, OverflowError):  # such as a year of twenty digits
            return None
    return min(seconds, most_s) if seconds >= 0 else None
