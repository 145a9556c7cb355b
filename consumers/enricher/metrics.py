"""Names all metrics of the enricher: what it asked portals for, and what came out."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = [
    "EVENTS",
    "FAILING",
    "FETCHES",
    "FETCH_TIME",
    "GIVEN_UP",
    "OBJECTS_PER_FETCH",
    "REFETCHED",
    "REFETCH_WAITING",
    "UNAVAILABLE",
]

EVENTS: Final = Counter(
    "b24_enricher_events",
    "Events that went out, by the state of the comment or object that they are about",
    ["state"],
)
UNAVAILABLE: Final = Counter(
    "b24_enricher_unavailable",
    "Events that went out without their comment's text or their object's fields",
    ["reason"],
)
FETCHES: Final = Counter(
    "b24_enricher_fetches",
    "Requests for comments and objects: answered, or why not; the client's repetitions not counted",
    ["outcome"],
)
FETCH_TIME: Final = Histogram(
    "b24_enricher_fetch_seconds",
    "Time of a request that was answered, its wait for the portal's limit included",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
OBJECTS_PER_FETCH: Final = Histogram(
    "b24_enricher_comments_per_fetch",
    "Comments and objects asked for in one request",
    buckets=(1, 2, 5, 10, 20, 30, 40, 49, 50),
)
FAILING: Final = Gauge(
    "b24_enricher_portals_failing", "Portals whose last request had no answer or met a limit"
)
REFETCH_WAITING: Final = Gauge(
    "b24_enricher_refetch_waiting",
    "Events that went out without what they are about and wait for it to be asked for again",
    ["partition"],
)
REFETCHED: Final = Counter(
    "b24_enricher_refetched", "Such events that went out again, by the state then", ["state"]
)
GIVEN_UP: Final = Counter(
    "b24_enricher_refetches_given_up", "Such events that will not be asked for again", ["cause"]
)
