"""Names the events by which operators hear of the installation itself: an alert, and its end."""

from typing import Final, Literal

from msgspec import Struct

from gateway.contract.events import Timestamp

__all__ = ["ALERT_BEGAN", "ALERT_ENDED", "AlertData", "AlertName"]

ALERT_BEGAN: Final = "gateway.alert.began"
ALERT_ENDED: Final = "gateway.alert.ended"

AlertName = Literal["group_behind", "dead_letters", "balance_open"]


class AlertData(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is not well, or was, as the gateway found out by itself.

    `count` is how many entries of `group` are not handled, how many dead letters it has, or how
    many events are missing, and `where`, when the alert began; `since` is when that was, `until`
    when it was over. `oldest_s` is how old the oldest entry of the group was. `event_id` is one of
    the events that it is about, the one that fails where one does, and `portal` its portal.
    """

    alert: AlertName
    since: Timestamp
    until: Timestamp | None = None
    count: int
    group: str | None = None
    stream: str | None = None
    oldest_s: int | None = None
    event_id: str | None = None
    portal: str | None = None
    where: tuple[str, ...] = ()
