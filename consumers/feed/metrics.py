"""Names all metrics of the feed: who reads it, how far behind, and what it costs Redis."""

from typing import Final

from prometheus_client import Counter, Gauge

__all__ = [
    "CUT",
    "LOST",
    "OLDEST_SECONDS",
    "RANGES",
    "RECENT_BYTES",
    "REQUESTS",
    "SENT",
    "STREAMS",
    "UNREADABLE",
    "WAITING",
    "WRONG_TOKENS",
]

REQUESTS: Final = Counter(
    "b24_feed_requests", "Requests answered, by status; streams count when they begin", ["status"]
)
STREAMS: Final = Gauge("b24_feed_streams", "Streams of Server-Sent Events that are open", ["token"])
WAITING: Final = Gauge("b24_feed_waiting_requests", "Requests that wait for events")
SENT: Final = Counter(
    "b24_feed_events_sent",
    "Events sent, by way: page, or stream; once for each who gets it",
    ["way"],
)
CUT: Final = Counter(
    "b24_feed_connections_cut",
    "Connections cut, by reason: slow (does not read), slow_headers, too_many_connections, "
    "bad_http",
    ["reason"],
)
RANGES: Final = Counter(
    "b24_feed_ranges_read", "Pages read of Redis, for readers who are behind what is in memory"
)
RECENT_BYTES: Final = Gauge(
    "b24_feed_recent_bytes", "About how much of the newest events is in memory"
)
OLDEST_SECONDS: Final = Gauge(
    "b24_feed_oldest_entry_timestamp_seconds",
    "Since when entries of a partition are all there: who is away for longer loses some",
    ["partition"],
)
LOST: Final = Counter(
    "b24_feed_gaps",
    "Times that the feed itself found entries gone unread, by reason: trimmed, forgotten (by a "
    "failover, or a stream made anew). Alarm on any",
    ["reason"],
)
UNREADABLE: Final = Counter(
    "b24_feed_unreadable_entries", "Entries that are no event of the contract, which nobody is sent"
)
WRONG_TOKENS: Final = Counter("b24_feed_wrong_tokens", "Requests without a token that is known")

for _status in ("200", "400", "401", "403", "404", "405", "410", "429", "503"):
    REQUESTS.labels(_status)
for _way in ("page", "stream"):
    SENT.labels(_way)
for _reason in ("slow", "slow_headers", "too_many_connections", "bad_http"):
    CUT.labels(_reason)
for _reason in ("trimmed", "forgotten"):
    LOST.labels(_reason)
