"""Pauses groups and strikes events, for operators, and tells what is paused and struck."""

import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Struct
from redis.asyncio import Redis

from gateway.contract import (
    EventSelection,
    Pause,
    Streams,
    Strike,
    pauses_of,
    strikes_of,
    timestamps,
)
from gateway.errors import OperatorError
from gateway.redis_access.stream_information import group_names

__all__ = [
    "GroupInterventions",
    "command_to_resume",
    "end_pauses",
    "interventions_of",
    "lift_strikes",
    "pause_group",
    "streams_of_groups",
    "strike_events",
]


class GroupInterventions(Struct, frozen=True, kw_only=True):
    """What is paused and struck of a group, until further notice."""

    group: str
    pauses: tuple[Pause, ...] = ()
    strikes: tuple[Strike, ...] = ()

    @property
    def paused(self) -> str | None:
        """`whole`, `in part`, or None if nothing is paused."""
        if not self.pauses:
            return None
        return "whole" if any(pause.is_whole for pause in self.pauses) else "in part"


def command_to_resume(group: str, pause: Pause) -> str:
    """What an operator calls to end just this pause."""
    portal, kind = pause.selection.portal, pause.selection.type
    words = ["gateway", "groups", "resume", group]
    words += ["--portal", portal] if portal else []
    words += ["--type", kind] if kind else []
    return shlex.join(words)


async def streams_of_groups(redis: Redis, streams: Streams) -> dict[str, set[str]]:
    """All groups, each with the names of the streams that it is on."""
    found: dict[str, set[str]] = {}
    for stream in ("events", "comments"):
        for key in streams.keys(stream):
            for group in await group_names(redis, key):
                found.setdefault(group, set()).add(stream)
    return found


async def interventions_of(redis: Redis, streams: Streams, group: str) -> GroupInterventions:
    """What is paused and struck of a group; pauses whose time is over are none."""
    pauses: Any = await redis.hgetall(streams.pauses(group))
    strikes: Any = await redis.hgetall(streams.strikes(group))
    now = datetime.now(UTC)
    return GroupInterventions(
        group=group,
        pauses=tuple(pause for pause in pauses_of(pauses).values() if not pause.is_over(now)),
        strikes=tuple(strikes_of(strikes).values()),
    )


async def pause_group(
    redis: Redis,
    streams: Streams,
    group: str,
    selection: EventSelection,
    *,
    until: datetime | None,
    now: datetime,
) -> Pause:
    """Let events of a group wait; the pause, which replaces one of the same selection.

    Idempotent. Raises OperatorError if there is no such group.
    """
    await _refuse_unknown(redis, streams, group)
    key = streams.pauses(group)
    before = pauses_of(await _field(redis, key, selection))
    pause = Pause(
        selection=selection,
        since=min([one.since for one in before.values()], default=_written(now)),
        until=_written(until) if until is not None else None,
    )
    await _write(redis, key, pause)
    return pause


async def end_pauses(
    redis: Redis, streams: Streams, group: str, selection: EventSelection | None
) -> tuple[Pause, ...]:
    """End the pause of a selection, or all pauses of a group; those that there were. Idempotent."""
    key = streams.pauses(group)
    return tuple(pauses_of(await _taken(redis, key, selection)).values())


async def strike_events(
    redis: Redis, streams: Streams, group: str, selection: EventSelection, *, now: datetime
) -> Strike:
    """Let events of a group become dead letters without a call of a handler. Idempotent.

    Raises OperatorError if there is no such group.
    """
    await _refuse_unknown(redis, streams, group)
    strike = Strike(selection=selection, since=_written(now))
    await _write(redis, streams.strikes(group), strike)
    return strike


async def lift_strikes(
    redis: Redis, streams: Streams, group: str, selection: EventSelection | None
) -> tuple[Strike, ...]:
    """Lift the strike of a selection, or all strikes; those that there were. Idempotent."""
    key = streams.strikes(group)
    return tuple(strikes_of(await _taken(redis, key, selection)).values())


async def _refuse_unknown(redis: Redis, streams: Streams, group: str) -> None:
    known = await streams_of_groups(redis, streams)
    if group not in known:
        raise OperatorError(
            f"there is no group {group}; there are: {', '.join(sorted(known)) or 'none'}"
        )


async def _field(redis: Redis, key: str, selection: EventSelection) -> Mapping[bytes, bytes]:
    field = str(selection)
    value: Any = await redis.hget(key, field)
    return {} if value is None else {field.encode(): value}


async def _taken(redis: Redis, key: str, selection: EventSelection | None) -> Mapping[bytes, bytes]:
    """Remove a field of a hash, or all; what they were."""
    fields: Any = await (redis.hgetall(key) if selection is None else _field(redis, key, selection))
    if fields:
        await redis.hdel(key, *fields)
    return fields  # type: ignore[no-any-return]


async def _write(redis: Redis, key: str, wish: Pause | Strike) -> None:
    await redis.hset(key, str(wish.selection), msgspec.json.encode(wish).decode())


def _written(moment: datetime) -> str:
    return timestamps.milliseconds_of(moment)
