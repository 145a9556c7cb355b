"""Finds when an event of each type came last, in what the streams still hold. Changes nothing."""

import time
from typing import Any, Final

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import EVENT_FIELD, Streams, source_of

__all__ = ["LatestOfTypes", "latest_of_types"]

_PAGE: Final = 1_000
_WITHIN_S: Final = 2.0
# Some hundred thousand entries.


class _Head(Struct):
    type: str
    source: str
    receivedat: str


_head = msgspec.json.Decoder(_Head)


class LatestOfTypes(Struct, frozen=True, kw_only=True):
    """When the last event of each type was received, as RFC 3339 has it.

    All entries were looked at that were received after `since`; from the beginning on if that is
    None.
    """

    received: dict[str, str]
    since: str | None = None


async def latest_of_types(
    client: Redis, streams: Streams, *, member_id: str | None = None
) -> LatestOfTypes:
    """What the newest entries of `events` say, of one portal or of all: as many as can be read in
    two seconds. Raises what a control client raises.
    """
    received: dict[str, str] = {}
    ends: list[str] = []
    keys = list(streams.keys("events"))
    for key in keys:
        deadline = time.monotonic() + _WITHIN_S / len(keys)
        since = await _look(client, key, received, member_id, deadline=deadline)
        ends += [] if since is None else [since]
    return LatestOfTypes(received=received, since=max(ends, default=None))


async def _look(
    client: Any, key: str, received: dict[str, str], member_id: str | None, *, deadline: float
) -> str | None:
    """Look through a stream from its end; when the last entry was received that was looked at,
    unless that is its first one.
    """
    source = None if member_id is None else source_of(member_id)
    last, oldest = "+", None
    while page := await client.xrevrange(key, max=last, count=_PAGE):
        for _id, fields in page:
            try:
                head = _head.decode(fields.get(EVENT_FIELD, b""))
            except msgspec.DecodeError:
                continue
            oldest = head.receivedat
            if source in (None, head.source) and head.receivedat > received.get(head.type, ""):
                received[head.type] = head.receivedat
        if len(page) < _PAGE:
            return None
        last = f"({page[-1][0].decode()}"
        if time.monotonic() > deadline:
            return oldest
    return None
