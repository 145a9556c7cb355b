"""Shows what a group has in hand: which entries, for how long, and how they failed last."""

import asyncio
from collections.abc import Sequence
from heapq import merge
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import EntryId, FailedAttempt, Streams, timestamps
from gateway.errors import OperatorError
from gateway.ops.entry_lines import ReadEntry, entry_of, portal_names
from gateway.ops.partition_owners import now_ms_at, owner_of
from gateway.redis_access.stream_information import group_names

__all__ = [
    "EntriesInHand",
    "EntryInHand",
    "LastFailure",
    "entries_in_hand",
    "failures_of",
    "groups_reading",
    "last_failure",
]

_PAGE: Final = 200
_MOST_LOOKED: Final = 5000
"""Entries of a partition that are looked through for a portal's: some 5 MB of events."""


class LastFailure(Struct, frozen=True, kw_only=True):
    """How an attempt with an entry failed last, `ago_s` seconds ago by two machines' clocks.

    `attempts` counts all that failed so far; `is_transient` says that they lead to no dead letter.
    """

    at: str
    ago_s: float | None
    attempts: int
    error: str
    handler: str
    is_transient: bool


class EntryInHand(Struct, frozen=True, kw_only=True):
    """An entry that was delivered to `group` and is not settled.

    `stream` and `entry_id` are where it is pending: `events`, `comments`, or `replay` for what the
    group alone was given again. Times are by the server's clock: `waits_s` since it was stored
    there, `in_hand_s` since it was delivered to whoever has it now. `deliveries` counts processes
    that took it. Without an event it was trimmed, or is none. `failure` is None if no attempt has
    ended yet, or none is recorded. `owner` is None if nobody works on the partition.
    """

    group: str
    stream: str
    partition: int
    entry_id: str
    event_id: str | None
    type: str | None
    portal: str | None
    domain: str | None
    subject: str | None
    stored_at: str
    waits_s: float
    in_hand_s: float
    deliveries: int
    failure: LastFailure | None
    owner: str | None


class EntriesInHand(Struct, frozen=True, kw_only=True):
    """The oldest of `pending_count` entries in hand; `looked_count` is how many were looked at."""

    group: str
    pending_count: int
    looked_count: int
    entries: Sequence[EntryInHand]


class _Pending(Struct, frozen=True):
    """A row of XPENDING, of the source `stream` whose key is `key`."""

    stream: str
    key: str
    partition: int
    id: str
    idle_ms: int
    deliveries: int


async def entries_in_hand(
    redis: Redis,
    streams: Streams,
    group: str,
    *,
    portal: str | None = None,
    limit: int = 50,
    most_looked: int = _MOST_LOOKED,
) -> EntriesInHand:
    """The entries that a group has in hand, the oldest first; those of a portal or domain alone.

    Reads no more than `limit` entries of each partition, or `most_looked` while it looks for a
    portal's.
    Raises OperatorError if there is no such group.
    """
    sources = await _sources_of(redis, streams, group)
    found: list[list[EntryInHand]] = []
    pending_count = looked_count = 0
    for stream, key, partition in sources:
        about: Any = await redis.xpending(key, group)
        pending_count += about["pending"]
        if not about["pending"]:
            continue
        now_ms = await now_ms_at(redis, key)
        owner = await owner_of(redis, streams, group, partition, now_ms=now_ms)
        some: list[EntryInHand] = []
        after = "-"
        looked = 0
        while len(some) < limit and looked < most_looked:
            count = _PAGE if portal is not None else min(_PAGE, limit - len(some))
            rows: Any = await redis.xpending_range(key, group, after, "+", count)
            page = [
                _Pending(
                    stream,
                    key,
                    partition,
                    row["message_id"].decode(),
                    row["time_since_delivered"],
                    row["times_delivered"],
                )
                for row in rows
            ]
            looked += len(page)
            some += await _looked_at(
                redis, streams, group, page, now_ms=now_ms, owner=owner.name, portal=portal
            )
            if len(page) < count:
                break
            after = f"({page[-1].id}"
        looked_count += looked
        found.append(some)
    oldest_first = merge(*found, key=lambda one: EntryId.of(one.entry_id))
    return EntriesInHand(
        group=group,
        pending_count=pending_count,
        looked_count=looked_count,
        entries=[one for one, _ in zip(oldest_first, range(limit), strict=False)],
    )


async def groups_reading(redis: Redis, streams: Streams) -> list[str]:
    """The groups of all streams and partitions, in the order of their names."""
    keys = [*streams.keys("events"), *streams.keys("comments")]
    each = await asyncio.gather(*(group_names(redis, key) for key in keys))
    return sorted({group for some in each for group in some})


async def failures_of(redis: Redis, key: str, fields: Sequence[str]) -> list[FailedAttempt | None]:
    """How the last attempts failed that a group's hash has under these fields."""
    if not fields:
        return []
    asked: Any = redis.hmget(key, list(fields))
    return [None if value is None else FailedAttempt.of(value) for value in await asked]


async def _sources_of(redis: Redis, streams: Streams, group: str) -> list[tuple[str, str, int]]:
    """Where a group has entries pending: name, key and partition of each stream that it reads."""
    found = []
    known = set()
    for partition in streams.numbers:
        replay = streams.replay(group, partition)
        keys = {name: streams.key(name, partition) for name in ("events", "comments")}
        is_here = False
        for name, key in keys.items():
            groups = await group_names(redis, key)
            known.update(groups)
            if group in groups:
                is_here = True
                found.append((name, key, partition))
        if is_here and group in await group_names(redis, replay):
            found.append(("replay", replay, partition))
    if not found:
        there = f"; there are: {', '.join(sorted(known))}" if known else ""
        raise OperatorError(f"there is no group {group}{there}")
    return found


async def _looked_at(
    redis: Redis,
    streams: Streams,
    group: str,
    page: Sequence[_Pending],
    *,
    now_ms: int,
    owner: str | None,
    portal: str | None,
) -> list[EntryInHand]:
    """The entries of a page with their events and failures, or those of a portal."""
    if not page:
        return []
    partition = page[0].partition
    fields = [FailedAttempt.field(row.stream, row.id) for row in page]
    failures = await failures_of(redis, streams.failures(group, partition), fields)
    async with redis.pipeline(transaction=False) as pipeline:
        for row in page:
            pipeline.xrange(row.key, row.id, row.id)
        found: Any = await pipeline.execute()
    shown = []
    for row, failure, stored in zip(page, failures, found, strict=True):
        entry = entry_of(row.key, row.id, dict(stored).get(row.id.encode(), {}))
        if portal is None or (entry.event and portal in portal_names(entry.event)):
            shown.append(_shown(group, row, entry, failure, now_ms=now_ms, owner=owner))
    return shown


def _shown(
    group: str,
    row: _Pending,
    entry: ReadEntry,
    failure: FailedAttempt | None,
    *,
    now_ms: int,
    owner: str | None,
) -> EntryInHand:
    event = entry.event
    event_id, portal, domain, subject = None, None, None, None
    if event is not None:
        (portal, domain), event_id, subject = portal_names(event), event.id, event.subject
    elif failure is not None:
        event_id, portal, subject = failure.event_id, failure.portal, failure.subject
    stored_ms = EntryId.of(row.id).ms
    return EntryInHand(
        group=group,
        stream=row.stream,
        partition=row.partition,
        entry_id=row.id,
        event_id=event_id,
        type=event.type if event else None,
        portal=portal,
        domain=domain,
        subject=subject,
        stored_at=timestamps.milliseconds(stored_ms),
        waits_s=max(0.0, (now_ms - stored_ms) / 1000),
        in_hand_s=row.idle_ms / 1000,
        deliveries=row.deliveries,
        failure=last_failure(failure, now_ms=now_ms),
        owner=owner,
    )


def last_failure(failure: FailedAttempt | None, *, now_ms: int) -> LastFailure | None:
    """A failure as it is shown, if there is one."""
    if failure is None:
        return None
    try:
        ago_s = max(0.0, now_ms / 1000 - timestamps.moment_of(failure.at).timestamp())
    except ValueError:  # whoever wrote it
        ago_s = None
    return LastFailure(
        at=failure.at,
        ago_s=ago_s,
        attempts=failure.attempts,
        error=failure.error,
        handler=failure.handler,
        is_transient=failure.is_transient,
    )
