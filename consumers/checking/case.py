"""Describes what a consumer is tried with: events that are legal, and that it may not expect."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from msgspec import Struct
from uuid_utils import uuid7

from gateway.contract import source_of, timestamps

__all__ = ["DOMAIN", "MEMBER_ID", "OTHER_MEMBER_ID", "Case", "changed", "made_event"]

MEMBER_ID: Final = "c0ffee00c0ffee00c0ffee00c0ffee00"
OTHER_MEMBER_ID: Final = "c0ffee01c0ffee01c0ffee01c0ffee01"
DOMAIN: Final = "check.bitrix24.example"


class Case(Struct, frozen=True, kw_only=True):
    """One thing to be ready for: its name, a sentence about it, and the events that show it.

    The events are as they stand on the stream, and are handed over in this order. `is_replay` marks
    them as old ones; with `is_redelivered` each entry comes a second time, as after a crash before
    it was acknowledged.
    """

    name: str
    about: str
    events: tuple[bytes, ...]
    is_replay: bool = False
    is_redelivered: bool = False


def made_event(
    event_type: str,
    subject: str,
    data: dict[str, Any] | None,
    *,
    member_id: str = MEMBER_ID,
    happened_ago_s: float = 1.0,
    **attributes: Any,
) -> bytes:
    """An event of the made-up portal, received now, with data of its own beside the portal's.

    Without `data` it has no such attribute at all.
    """
    now = datetime.now(UTC)
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(uuid7()),
        "source": source_of(member_id),
        "type": event_type,
        "subject": subject,
        "time": timestamps.seconds_of(now - timedelta(seconds=happened_ago_s)),
        "receivedat": timestamps.milliseconds_of(now),
        "datacontenttype": "application/json",
        **attributes,
    }
    if data is not None:
        event["data"] = {"member_id": member_id, "domain": DOMAIN, **data}
    return msgspec.json.encode(event)


def changed(event: bytes, *, without: Iterable[str] = (), **data: Any) -> bytes:
    """The same event with other data, and without some of them."""
    read: dict[str, Any] = msgspec.json.decode(event)
    kept = {name: value for name, value in read["data"].items() if name not in set(without)}
    return msgspec.json.encode(read | {"data": kept | data})
