"""Names all metrics of the enricher: what it asked portals for, and what came out."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "COMMENTS",
    "COMMENTS_PER_FETCH",
    "FAILING",
    "FETCHES",
    "FETCH_TIME",
    "GIVEN_UP",
    "REFETCHED",
    "REFETCH_WAITING",
    "UNAVAILABLE",
]

COMMENTS: Final = Counter(
    "b24_enricher_events", "Events that went out, by the state of their comment", ["state"]
)
UNAVAILABLE: Final = Counter(
    "b24_enricher_unavailable", "Events that went out without their comment's text", ["reason"]
)
FETCHES: Final = Counter(
    "b24_enricher_fetches",
    "Requests for comments: answered, or why not; repetitions by the client count as one",
    ["outcome"],
)
FETCH_TIME: Final = Histogram(
    "b24_enricher_fetch_seconds",
    "Time of a request that was answered, its wait for the portal's limit included",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
COMMENTS_PER_FETCH: Final = Histogram(
    "b24_enricher_comments_per_fetch",
    "Comments asked for in one request",
    buckets=(1, 2, 5, 10, 20, 30, 40, 49, 50),
)
FAILING: Final = Gauge(
    "b24_enricher_portals_failing", "Portals whose last request had no answer or met a limit"
)
REFETCH_WAITING: Final = Gauge(
    "b24_enricher_refetch_waiting",
    "Events that went out without their comment's text and wait for it to be asked for again",
    ["partition"],
)
REFETCHED: Final = Counter(
    "b24_enricher_refetched", "Such events that went out again, by the comment's state", ["state"]
)
GIVEN_UP: Final = Counter(
    "b24_enricher_refetches_given_up", "Such events that will not be asked for again", ["cause"]
)
