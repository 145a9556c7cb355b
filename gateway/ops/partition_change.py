"""Changes into how many partitions events are spread, on a live system.

Each step may be repeated, and each leaves something from which the command goes on, or back.

| It ends | Then |
|---|---|
| before it is announced | nothing has happened |
| after that, before the first partition is sealed | events are published as before |
| after some are sealed, before the number is turned | what comes for these waits in spools |
| after the number is turned | it is done; the processes follow by themselves |

docs/decisions/0032-repartition.md says why it keeps the order of events.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway.contract import FEEDERS, Streams
from gateway.errors import OperatorError
from gateway.heartbeats.process_list import ListedProcess, processes
from gateway.ops.group_standings import GroupStanding, standings
from gateway.partitioning.partition_record import (
    ABORT,
    PartitionRecord,
    adopt_record,
    kept_counts,
    note_next,
    read_record,
    turn_next,
)
from gateway.redis_access.stream_information import group_names

__all__ = [
    "MOST_NUMBERS",
    "RepartitionPreview",
    "announce",
    "finish_undoing",
    "followed",
    "look_ahead",
    "make_groups",
    "note_ended",
    "seal",
    "turn",
    "undo",
]

MOST_NUMBERS: Final = 4096
"""Partitions of all times: each costs a group a lease and a connection that waits."""
_STREAMS: Final = ("events", "comments")
_LOOK_S: Final = 0.5


class RepartitionPreview(Struct, frozen=True, kw_only=True):
    """What stands against a change, and what is to be known of it.

    `events` is how many entries the groups together have still to handle of what is there.
    """

    now: int
    wanted: int
    first: int
    numbers: str
    under_way: str | None = None
    since_ms: int = 0
    processes: int = 0
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


async def look_ahead(redis: Redis, streams: Streams, wanted: int) -> RepartitionPreview:
    """Look what a change to `wanted` partitions would meet. Changes nothing.

    `streams` are told what is on record. Raises one of connections.FAILURES.
    """
    await adopt_record(redis, streams)
    record = await read_record(redis, streams)
    running = [one for one in await processes(redis, prefix=streams.prefix) if not one.is_silent]
    groups = await standings(redis, streams)
    first = streams.numbers.stop
    return RepartitionPreview(
        now=streams.partitions,
        wanted=wanted,
        first=first,
        numbers=f"{first}..{first + wanted - 1}",
        under_way=record.next,
        since_ms=record.since_ms,
        processes=len(running),
        faults=tuple(_faults(streams, record, running, wanted)),
        remarks=tuple(_remarks(groups)),
    )


def _faults(
    streams: Streams, record: PartitionRecord, running: Sequence[ListedProcess], wanted: int
) -> list[str]:
    found = []
    if record.next is None and wanted == streams.partitions:
        found.append(f"there are {wanted} partitions already")
    if record.next not in {None, ABORT, str(wanted)}:
        found.append(
            f"a change to {record.next} partitions is under way: finish it by "
            f"`gateway repartition {record.next}`, or undo it by `gateway repartition --abort`"
        )
    if streams.numbers.stop + wanted > MOST_NUMBERS:
        found.append(
            f"{streams.numbers.stop} partitions have been used, and {MOST_NUMBERS} there can be"
        )
    older = [one for one in running if not one.report.layouts]
    found += [
        f"{_name(one)} is of version {one.report.version}, which does not follow: upgrade it first"
        for one in older
    ]
    return found


def _remarks(groups: Sequence[GroupStanding]) -> list[str]:
    found = []
    for group in sorted({one.group for one in groups}):
        own = [one for one in groups if one.group == group]
        left = sum(one.lag + one.pending for one in own)
        if any(one.pauses for one in own):
            found.append(f"{group} is paused, and stays with former partitions until it goes on")
        elif all(one.owner is None for one in own):
            found.append(f"no process works for {group}: nobody handles what it has to read")
        elif left:
            found.append(f"{group} has {left} events to handle before it begins with the new ones")
    return found


def _name(one: ListedProcess) -> str:
    report = one.report
    return f"{report.group or report.worker or report.role} on {report.host} (pid {report.pid})"


async def announce(redis: Redis, streams: Streams, wanted: int | str) -> None:
    """Note which number is to follow, or ABORT; raises OperatorError if something else is noted."""
    await kept_counts(redis, streams)
    noted = await note_next(redis, streams, str(wanted))
    if noted != str(wanted):
        raise OperatorError(f"a change to {noted} partitions is under way")


async def make_groups(redis: Redis, streams: Streams, wanted: int) -> None:
    """Make every group on the new partitions, where it reads from the first entry on."""
    new = range(streams.numbers.stop, streams.numbers.stop + wanted)
    for stream in _STREAMS:
        groups: dict[str, None] = {}
        for partition in streams.in_force:
            groups |= dict.fromkeys(await group_names(redis, streams.key(stream, partition)))
        for partition in new:
            for group in groups:
                await _make_group(redis, streams.key(stream, partition), group)
        if stream == "events":  # whoever reads what a group writes waits for it, if there is one
            for feeder in set(FEEDERS.values()) - groups.keys():
                await note_ended(redis, streams, feeder, streams.layouts)


async def note_ended(redis: Redis, streams: Streams, group: str, layouts: Sequence[range]) -> None:
    """Note that nothing of these layouts is to come of a group any more."""
    for layout in layouts:
        noting: Any = redis.hset(streams.ends, f"{group}:{layout.start}", "1")
        await noting


async def _make_group(redis: Redis, key: str, group: str) -> None:
    try:
        await redis.xgroup_create(key, group, "0", mkstream=True)
    except ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


async def seal(redis: Redis, streams: Streams, partition: int) -> None:
    """Let nothing new be put on a partition; what comes for it waits in the receivers' spools."""
    await redis.set(streams.sealed(partition), str(round(time.time() * 1000)))


async def turn(redis: Redis, streams: Streams, wanted: int) -> None:
    """Have events be spread into the new partitions from now on: one step of the server.

    Raises OperatorError if the change was undone, or done, meanwhile.
    """
    if not await turn_next(redis, streams, str(wanted), count=wanted):
        raise OperatorError("somebody else has ended this change meanwhile: see gateway groups")
    streams.adopt((*streams.counts, wanted))


async def undo(redis: Redis, streams: Streams) -> bool:
    """Undo a change that was not turned yet; whether there was one. Repeatable."""
    record = await read_record(redis, streams)
    if record.next is None:
        if not any([await redis.exists(streams.sealed(one)) for one in streams.in_force]):
            return False
        await announce(redis, streams, ABORT)
    elif record.next != ABORT and not await turn_next(redis, streams, record.next, ABORT):
        raise OperatorError("somebody else has ended this change meanwhile: see gateway groups")
    await adopt_record(redis, streams)  # nobody turns the number from here on
    await _forget_new_streams(redis, streams)
    for partition in streams.in_force:
        await redis.delete(streams.sealed(partition))
    await turn_next(redis, streams, ABORT)
    return True


async def finish_undoing(redis: Redis, streams: Streams) -> None:
    """Undo to the end what somebody has begun to undo."""
    if (await read_record(redis, streams)).next == ABORT:
        await undo(redis, streams)


async def _forget_new_streams(redis: Redis, streams: Streams) -> None:
    """Remove the streams that were made for the groups, on which there is nothing."""
    for partition in range(streams.numbers.stop, MOST_NUMBERS):
        keys = [streams.key(stream, partition) for stream in _STREAMS]
        there = [key for key in keys if await redis.exists(key)]
        if not there:
            return
        for key in there:
            if not await redis.xlen(key):
                await redis.delete(key)


async def followed(
    redis: Redis, streams: Streams, *, within_s: float, told: Callable[[int, int], None]
) -> list[str]:
    """Wait until all processes follow the number that is in force; those that do not within so
    long. `told` hears how many do, of how many.
    """
    until = time.monotonic() + within_s
    layouts = len(streams.counts)
    while True:
        found = await processes(redis, prefix=streams.prefix)
        running = [one for one in found if not one.is_silent]
        late = [one for one in running if one.report.layouts < layouts]
        told(len(running) - len(late), len(running))
        if not late or time.monotonic() > until:
            return [_name(one) for one in late]
        await asyncio.sleep(_LOOK_S)
