"""Asks of each stream and group how far it is, what is pending, and who owns it."""

import asyncio
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from gateway.contract import EntryId, Pause, Streams, Strike
from gateway.ops.group_interventions import interventions_of
from gateway.ops.partition_owners import now_ms_at, owner_of
from gateway.redis_access.entry_count import CountedStream, count_entries, counts_reads
from gateway.redis_access.group_lag import right_lag
from gateway.redis_access.stream_information import stream_information

__all__ = ["GroupStanding", "standings"]

_AT_ONCE: Final = 16


class GroupStanding(Struct, frozen=True, kw_only=True):
    """A group on one partition of a stream; `lag` is how many entries it has not been given yet.

    Above 20,000 it may be an estimate (`lag_is_estimate`). Ages are in seconds by the server's
    clock: of the oldest entry that was given and is not acknowledged, and of the oldest one that
    was not given. `added_count` is how many entries the stream has ever had. `owner` is the process
    that holds the lease. Pauses and strikes are of the group, on all of its partitions. Nothing new
    comes to a partition that `is_former`; one that `waits_for_former` the group begins with when it
    has handled all that is on former ones.
    """

    stream: str
    partition: int
    group: str
    length: int
    added_count: int = 0
    lag: int
    lag_is_estimate: bool = False
    pending: int
    oldest_pending_s: float
    oldest_waiting_s: float = 0.0
    redeliveries: int
    dead_letters: int
    owner: str | None
    epoch: int | None
    delivered_id: str
    pauses: tuple[Pause, ...] = ()
    strikes: tuple[Strike, ...] = ()
    is_former: bool = False
    waits_for_former: bool = False


async def standings(redis: Redis, streams: Streams) -> list[GroupStanding]:
    """All groups of all streams; streams that are not there are left out. Only reads."""
    is_counting = await _is_counting(redis)
    places = asyncio.Semaphore(_AT_ONCE)

    async def of(stream: str, partition: int) -> list[GroupStanding]:
        async with places:
            return await _of_partition(redis, streams, stream, partition, is_counting=is_counting)

    found = await asyncio.gather(
        *(
            of(stream, partition)
            for stream in ("events", "comments")
            for partition in streams.numbers
        )
    )
    standing = [one for some in found for one in some]
    wishes = {
        group: await interventions_of(redis, streams, group)
        for group in {one.group for one in standing}
    }
    ended = await _ended(redis, streams)
    return [
        replace(
            one,
            pauses=wishes[one.group].pauses,
            strikes=wishes[one.group].strikes,
            is_former=streams.is_former(one.partition),
            waits_for_former=ended is not None and _waits(streams, ended, one),
        )
        for one in standing
    ]


async def _ended(redis: Redis, streams: Streams) -> frozenset[str] | None:
    """Which groups are through with which layouts; None if there is but one, or nobody may say."""
    if len(streams.layouts) == 1:
        return None
    try:
        asked: Any = redis.hgetall(streams.ends)
        return frozenset(name.decode() for name in await asked)
    except NoPermissionError:
        return None


def _waits(streams: Streams, ended: frozenset[str], one: GroupStanding) -> bool:
    return any(
        layout.stop <= one.partition and f"{one.group}:{layout.start}" not in ended
        for layout in streams.layouts
    )


async def _is_counting(redis: Redis) -> bool:
    """Whether the server's number of what a group has read can be believed."""
    try:
        return counts_reads(await redis.info("server"))
    except NoPermissionError:
        return False


async def _of_partition(
    redis: Redis, streams: Streams, stream: str, partition: int, *, is_counting: bool
) -> list[GroupStanding]:
    key = streams.key(stream, partition)
    info = await stream_information(redis, key)
    if info is None:
        return []
    groups: Any = await redis.xinfo_groups(key)
    now_ms = await now_ms_at(redis, key)
    last_id = info["last-generated-id"].decode()
    found = []
    for row in groups:
        group = row["name"].decode()
        pending: Any = await redis.xpending(key, group)
        owner = await owner_of(redis, streams, group, partition, now_ms=now_ms)
        delivered_id = row["last-delivered-id"].decode()
        lag = right_lag(
            lag=row["lag"] if is_counting else None,
            length=info["length"],
            delivered_id=delivered_id,
            first_id=info["first-entry"][0].decode() if info["first-entry"] else None,
            last_id=last_id,
        )
        is_estimate = lag is None
        if lag is None:
            counted = CountedStream(key, streams.retention_marks(stream, partition))
            left = await count_entries(redis, counted, f"({delivered_id}", last_id)
            lag, is_estimate = left.count, left.is_estimate
        oldest_ms = EntryId.of(pending["min"]).ms if pending["min"] else None
        waiting_ms = await _first_ms(redis, key, delivered_id) if lag else None
        found.append(
            GroupStanding(
                stream=stream,
                partition=partition,
                group=group,
                length=info["length"],
                added_count=info["entries-added"],
                lag=lag,
                lag_is_estimate=is_estimate,
                pending=pending["pending"],
                oldest_pending_s=max(0.0, (now_ms - oldest_ms) / 1000) if oldest_ms else 0.0,
                oldest_waiting_s=max(0.0, (now_ms - waiting_ms) / 1000) if waiting_ms else 0.0,
                redeliveries=await redis.xlen(streams.replay(group, partition)),
                dead_letters=await redis.xlen(streams.dead(group, partition)),
                owner=owner.name,
                epoch=owner.epoch,
                delivered_id=delivered_id,
            )
        )
    return found


async def _first_ms(redis: Redis, key: str, after: str) -> int | None:
    """When the first entry behind an id was stored, in Unix ms."""
    rows: Any = await redis.xrange(key, f"({after}", count=1)
    return EntryId.of(rows[0][0]).ms if rows else None
