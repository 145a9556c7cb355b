"""Writes a moment as text: RFC 3339 in UTC, whole seconds or milliseconds, always ending in `Z`.

What is finer is cut off, not rounded, so that no text is ahead of its moment.
"""

from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["milliseconds", "milliseconds_of", "moment_of", "seconds", "seconds_of"]


def seconds(unix_s: float) -> str:
    """`2025-12-18T08:18:53Z` for Unix seconds. Raises ValueError outside the years 1 to 9999."""
    return _seconds(int(unix_s // 1))


def milliseconds(unix_ms: int) -> str:
    """`2025-12-18T08:18:53.412Z` for Unix milliseconds. Raises ValueError as `seconds` does."""
    return f"{_seconds(unix_ms // 1000)[:-1]}.{unix_ms % 1000:03d}Z"


def seconds_of(moment: datetime) -> str:
    """As `seconds`, of an aware moment in any zone. Raises ValueError as `seconds` does."""
    return _text(moment, "seconds")


def milliseconds_of(moment: datetime) -> str:
    """As `milliseconds`, of an aware moment in any zone. Raises ValueError as `seconds` does."""
    return _text(moment, "milliseconds")


def moment_of(text: str) -> datetime:
    """Read a time with an offset, which may be another one than `Z`; the moment is aware.

    Raises ValueError for everything else, also for a time that does not say in which zone it is.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without an offset from UTC")
    return moment


@lru_cache(maxsize=256)  # many events share a second, and formatting one costs a microsecond
def _seconds(unix_s: int) -> str:
    try:
        return _text(datetime.fromtimestamp(unix_s, UTC), "seconds")
    except (OverflowError, OSError) as error:
        raise ValueError(f"no date: {unix_s}") from error


def _text(moment: datetime, precision: str) -> str:
    try:
        utc = moment.astimezone(UTC)
    except OverflowError as error:  # such as the last hour of the year 9999, west of UTC
        raise ValueError(f"no date in UTC: {moment}") from error
    return f"{utc.replace(tzinfo=None).isoformat(timespec=precision)}Z"
