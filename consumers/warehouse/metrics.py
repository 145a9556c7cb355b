"""Names all metrics of the warehouse consumer: how much, how fast, and up to where."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["IS_AWAY", "LAST_LOAD", "LOADED", "NEWEST_EVENT", "POSITION", "TOOK"]

LOADED: Final = Counter(
    "b24_warehouse_rows_loaded", "Rows loaded; a row that is loaded twice counts twice"
)
TOOK: Final = Histogram(
    "b24_warehouse_load_seconds",
    "Time of one load, from events to committed rows",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
POSITION: Final = Gauge(
    "b24_warehouse_position_timestamp_seconds",
    "Load position: the time in the entry id of the last entry loaded",
    ["stream", "partition"],
)
NEWEST_EVENT: Final = Gauge(
    "b24_warehouse_newest_event_timestamp_seconds",
    "Freshness: when the newest event of the last load was received",
)
LAST_LOAD: Final = Gauge(
    "b24_warehouse_last_load_timestamp_seconds", "When the last load was committed"
)
IS_AWAY: Final = Gauge(
    "b24_warehouse_destination_is_away",
    "1 while the destination cannot be used: unreachable, locked, refusing",
)
