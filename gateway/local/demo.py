"""Runs the demo: a portal that lives, and what becomes of each of its events.

All of it happens for real. That a consumer has done its part is read from its group's state in
Redis.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis

from gateway.local import demo_portal
from gateway.local.demo_portal import DemoPortal, Say
from gateway.local.group_positions import GroupPositions
from gateway.ops import entry_lines
from gateway.ops.stream_following import follow
from gateway.redis_access import connections
from gateway.redis_access.connections import AWAY_OR_REFUSING
from gateway.settings import Settings
from gateway.webhooks.push_endpoints import endpoint_of

__all__ = ["NAMES", "run", "until_handled"]

NAMES: Final = (demo_portal.NAME, "events", "comments", "notified", "pushed")

_POLL_S: Final = 0.2
_GROUPS_WAIT_S: Final = 20.0
_HANDLED_WAIT_S: Final = 3.0


async def run(
    settings: Settings, consumers: Mapping[str, str], portal: DemoPortal, say: Say
) -> None:
    """Let the portal live, and tell what becomes of its events; without an end.

    `consumers` says which stream each group is on. Begins when all of them are there, or after a
    while without those that are not: a group that begins with new events would otherwise miss the
    first ones.
    """
    streams = settings.redis.streams
    with suppress(TimeoutError):
        async with asyncio.timeout(_GROUPS_WAIT_S):
            await _until_groups(settings, consumers)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(portal.live(settings.http.local_url))
        for stream in dict.fromkeys(consumers.values()):
            for key in streams.keys(stream):
                tasks.create_task(_watch(settings.redis.url, key, partial(say, stream), say))


async def until_handled(settings: Settings, consumers: Mapping[str, str]) -> None:
    """Wait until the groups are through with what is on their streams; for some seconds at most.

    In the order of `consumers`, so that what one of them writes for others is there by their turn.
    """
    with suppress(TimeoutError, *AWAY_OR_REFUSING):
        async with (
            asyncio.timeout(_HANDLED_WAIT_S),
            connections.control(settings.redis.url) as control,
        ):
            for group, stream in consumers.items():
                for key in settings.redis.streams.keys(stream):
                    while not await _is_through(control, key, group):  # noqa: ASYNC110 - they decide
                        await asyncio.sleep(_POLL_S)


async def _is_through(control: Redis, key: str, group: str) -> bool:
    about: Any = await control.xinfo_stream(key)
    groups: Any = await control.xinfo_groups(key)
    return all(
        (one["last-delivered-id"], one["pending"]) == (about["last-generated-id"], 0)
        for one in groups
        if one["name"] == group.encode()
    )


async def _until_groups(settings: Settings, consumers: Mapping[str, str]) -> None:
    async with connections.control(settings.redis.url) as control:
        for group, stream in consumers.items():
            for key in settings.redis.streams.keys(stream):
                while group not in await _groups(control, key):  # noqa: ASYNC110 - Redis decides
                    await asyncio.sleep(_POLL_S)


async def _groups(control: Redis, key: str) -> dict[str, str]:
    """The groups of a stream and the last id delivered to each; none while Redis is away."""
    try:
        groups: Any = await control.xinfo_groups(key)
    except AWAY_OR_REFUSING:
        return {}
    return {group["name"].decode(): group["last-delivered-id"].decode() for group in groups}


async def _watch(redis_url: str, key: str, tell: Callable[[str], None], say: Say) -> None:
    progress = GroupPositions()
    async with (
        connections.control(redis_url) as control,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(_see(redis_url, key, progress, tell))
        tasks.create_task(_ask(control, key, progress, say))


async def _see(
    redis_url: str, key: str, progress: GroupPositions, tell: Callable[[str], None]
) -> None:
    async with aclosing(follow(redis_url, [key], told=tell)) as entries:
        async for entry in entries:
            tell(entry_lines.as_line(entry))
            progress.seen(entry.id, entry.event.subject if entry.event else "an entry")


async def _ask(control: Redis, key: str, progress: GroupPositions, say: Say) -> None:
    while True:
        await asyncio.sleep(_POLL_S)
        span = progress.span()
        if span is None:
            continue
        for group, last in (await _groups(control, key)).items():
            try:
                # After the position above: what was delivered later does not count as done.
                pending: Any = await control.xpending_range(key, group, *span, count=10_000)
            except AWAY_OR_REFUSING:
                continue  # Redis is away, which the other task tells, or the group is
            ids = {one["message_id"].decode() for one in pending}
            for subject in progress.acknowledged(group, last_delivered=last, pending=ids):
                name = "relay" if endpoint_of(group) else group
                say(name, f"{subject} handled and acknowledged")
