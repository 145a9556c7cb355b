"""Names all metrics of the notifier. The label `target` is `<route>/<number of the URL>`."""

from typing import Final

from prometheus_client import Counter, Gauge

__all__ = ["BACKLOG", "FAILED", "GIVEN_UP", "IS_PAUSED", "SENT", "TAKEN"]

TAKEN: Final = Counter(
    "b24_notifier_events_taken", "Events put into the outbox of a target", ["target"]
)
SENT: Final = Counter("b24_notifier_messages_sent", "Messages that a target accepted", ["target"])
FAILED: Final = Counter(
    "b24_notifier_sendings_failed", "Attempts that a target did not accept", ["target"]
)
GIVEN_UP: Final = Counter(
    "b24_notifier_notices_given_up", "Notices that nobody will be told of", ["target", "reason"]
)
BACKLOG: Final = Gauge(
    "b24_notifier_backlog", "Notices that wait for a target or are being sent to it", ["target"]
)
IS_PAUSED: Final = Gauge(
    "b24_notifier_target_is_paused", "1 while a target that failed is left alone", ["target"]
)
