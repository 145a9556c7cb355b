"""Names all metrics of the relay. The label `endpoint` is the name of one in the settings."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

__all__ = ["ANSWER_SECONDS", "ATTEMPTS", "IS_AWAY", "PAUSED"]

ATTEMPTS: Final = Counter(
    "b24_relay_attempts",
    "Attempts to push an event, by outcome: delivered, refused (this event, while others are "
    "taken), failed (the endpoint takes nothing).",
    ["endpoint", "outcome"],
)
ANSWER_SECONDS: Final = Histogram(
    "b24_relay_answer_seconds",
    "How long an endpoint took to answer, whatever it answered.",
    ["endpoint"],
    buckets=(0.05, 0.25, 1.0, 5.0, 15.0),
)
IS_AWAY: Final = Gauge(
    "b24_relay_endpoint_is_away", "1 while an endpoint takes nothing.", ["endpoint"]
)
PAUSED: Final = Counter(
    "b24_relay_endpoints_paused",
    "Pauses that the relay began, until an operator ends them, by reason: gone (it answered 410), "
    "away (it took nothing for too long).",
    ["endpoint", "reason"],
)
