"""Defines the metrics of events about whatever a portal has beside comments."""

from typing import Final

from prometheus_client import Counter

__all__ = ["EVENTS_WITHOUT_ID", "VALUES_LEFT_OUT"]

EVENTS_WITHOUT_ID: Final = Counter(
    "b24gw_events_without_id",
    "Events that did not say which entity they are about, or with no usable id, by Bitrix24's name "
    "for them; each was stored, in the order of all such events of its portal.",
    ["event"],
)
VALUES_LEFT_OUT: Final = Counter(
    "b24gw_event_values_left_out",
    "Values of events, by Bitrix24's name for them, that are not in data.fields, or masked there, "
    "because they look like keys or are too much; what is named like a secret is not counted.",
    ["event"],
)
