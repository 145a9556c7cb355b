"""Timestamps of the contract: RFC 3339 in UTC, whole seconds or milliseconds."""

from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["milliseconds", "seconds"]


@lru_cache(maxsize=256)  # many events share a second, and formatting one costs 2 µs
def seconds(timestamp: int) -> str:
    """`2025-12-18T08:18:53Z` for Unix seconds; raises ValueError beyond the year 9999."""
    try:
        return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError) as error:
        raise ValueError(f"no date: {timestamp}") from error


def milliseconds(timestamp_ms: int) -> str:
    """`2025-12-18T08:18:53.412Z` for Unix milliseconds."""
    return f"{seconds(timestamp_ms // 1000)[:-1]}.{timestamp_ms % 1000:03d}Z"
