"""Reads the balance from Redis: one call for each partition and group, and none that scans."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace
from redis.asyncio import Redis

from gateway.balance.door_report import DoorReport, decoded_reports
from gateway.balance.keys import (
    balance_key,
    doors_key,
    group_balance_key,
    missing_since_key,
    written_off_key,
)
from gateway.balance.sheet import Balance, GroupSheet, Missing, door_sheet
from gateway.contract import Streams
from gateway.redis_access import lua
from gateway.redis_access.group_lag import right_lag
from gateway.redis_access.stream_information import group_names

__all__ = ["read_balance"]

_STREAMS: Final = ("events", "comments")
_GROUP_BALANCE: Final = lua.source("gateway.balance", "group_balance.lua")


async def read_balance(
    client: Redis, streams: Streams, *, here: dict[str, DoorReport] | None = None
) -> Balance:
    """The balance now; raises what a control client raises.

    `here` are reports that are newer than what Redis has, of this machine. Writes nothing.
    """
    redis: Any = client
    prefix = streams.prefix
    # Before the counts of the streams: what was reported is on them by then.
    reports = decoded_reports(await redis.hgetall(doors_key(prefix))) | (here or {})
    published = once = 0
    for partition in streams.numbers:
        counts = await redis.hmget(balance_key(prefix, partition), "published", "once")
        published += int(counts[0] or 0)
        once += int(counts[1] or 0)
    now_ms = await _now_ms(redis)
    door, missing = door_sheet(reports, published=published, once=once, now_ms=now_ms)
    groups = [sheet for stream in _STREAMS for sheet in await _groups(redis, streams, stream)]
    missing += [
        Missing(where=f"group {one.group} on {one.stream}", count=one.missing)
        for one in groups
        if one.missing
    ]
    return Balance(
        at_ms=now_ms,
        door=door,
        groups=tuple(groups),
        missing=tuple(await _with_history(redis, prefix, missing)),
    )


async def _with_history(redis: Any, prefix: str, missing: Sequence[Missing]) -> list[Missing]:
    """What is missing, with since when and how much of it was written off."""
    if not missing:
        return []
    since = await redis.hgetall(missing_since_key(prefix))
    written_off = await redis.hgetall(written_off_key(prefix))
    return [
        replace(
            one,
            since_ms=one.since_ms or int(since.get(one.where.encode(), 0)) or None,
            written_off=int(written_off.get(one.where.encode(), 0)),
        )
        for one in missing
    ]


async def _groups(redis: Any, streams: Streams, stream: str) -> list[GroupSheet]:
    """The sheets of all groups of a stream, each over all of its partitions."""
    found: dict[str, GroupSheet] = {}
    for partition in streams.numbers:
        key = streams.key(stream, partition)
        for group in await group_names(redis, key):
            one = await _of_partition(redis, streams, stream, partition, group)
            if one is not None:
                found[group] = one if group not in found else _sum(found[group], one)
    return list(found.values())


async def _of_partition(
    redis: Any, streams: Streams, stream: str, partition: int, group: str
) -> GroupSheet | None:
    keys = (
        streams.key(stream, partition),
        group_balance_key(streams.prefix, group, partition),
        streams.lease(group, partition),
    )
    answer = await redis.eval_ro(_GROUP_BALANCE, len(keys), *keys, group)
    if answer is None:
        return None
    added, read, pending, _now, flat, erased, place = answer
    fields = {name.decode(): int(value) for name, value in zip(flat[::2], flat[1::2], strict=True)}
    has_base = "base_read" in fields
    given = None
    if has_base and read is not None and read >= 0:
        given = read - fields["base_read"] + fields["base_pending"]
    return GroupSheet(
        group=group,
        stream=stream,
        added=added,
        given=given,
        handled=fields.get("handled", 0),
        passed_over=fields.get("passed_over", 0),
        dead=fields.get("dead", 0),
        struck=fields.get("struck", 0),
        erased=fields.get("erased", 0) + erased - fields.get("base_erased", 0),
        in_hand=pending,
        since_ms=fields.get("since"),
        waiting=_waiting(*place),
    )


def _waiting(
    lag: int | None, length: int, delivered: bytes, first: bytes, last: bytes
) -> int | None:
    return right_lag(
        lag=None if lag is None or lag < 0 else lag,
        length=length,
        delivered_id=delivered.decode(),
        first_id=first.decode() or None,
        last_id=last.decode(),
    )


def _sum(one: GroupSheet, other: GroupSheet) -> GroupSheet:
    counts = {
        name: getattr(one, name) + getattr(other, name)
        for name in ("added", "handled", "passed_over", "dead", "struck", "erased", "in_hand")
    }
    is_known = one.given is not None and other.given is not None
    waits = None
    if one.waiting is not None and other.waiting is not None:
        waits = one.waiting + other.waiting
    begun = [at for at in (one.since_ms, other.since_ms) if at is not None]
    return replace(
        one,
        **counts,
        given=(one.given or 0) + (other.given or 0) if is_known else None,
        since_ms=min(begun, default=None),
        waiting=waits,
    )


async def _now_ms(redis: Any) -> int:
    seconds, microseconds = await redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000
