"""The demo: a portal that sends, somebody who is notified, and what becomes of each event.

All of it happens for real: requests go through the receiver's HTTP door, notifications arrive over
HTTP, and that a consumer has done its part is read from its group's state in Redis.
"""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from aiohttp import web
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gateway import connections
from gateway.connections import AWAY
from gateway.local.progress import Progress
from gateway.ops import tail
from gateway.ops.following import follow
from gateway.sandbox.bodies import body_of
from gateway.sandbox.portal import SANDBOX
from gateway.sandbox.sending import NoAnswer, sending
from gateway.settings import Settings

__all__ = ["NAMES", "Say", "notification_sink", "run"]

NAMES: Final = ("portal", "stream", "notified")

Say = Callable[[str, str], None]
"""Prints a line under a name."""

_COMMENTS: Final = range(101, 106)
_POLL_S: Final = 0.2
_GROUPS_WAIT_S: Final = 20.0


class _Notification(msgspec.Struct):
    title: str = ""
    message: str = ""


@asynccontextmanager
async def notification_sink(say: Say) -> AsyncIterator[str]:
    """The Apprise URL of somebody on this machine who reads out each notification.

    https://github.com/caronc/apprise/wiki/Notify_Custom_JSON
    """

    async def receive(request: web.Request) -> web.Response:
        try:
            told = msgspec.json.decode(await request.read(), type=_Notification)
        except msgspec.DecodeError:
            return web.Response(status=400)
        words = " ".join(f"{told.title}: {told.message}".split())
        say("notified", f"notification delivered: {words}")
        return web.Response()

    app = web.Application()
    app.router.add_post("/", receive)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"json://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def run(settings: Settings, consumers: Collection[str], say: Say) -> None:
    """Send a comment update each second, and tell what becomes of it; without an end.

    Begins when the groups of all `consumers` are there, or after a while without those that are
    not: a group that begins with new events would otherwise miss the first ones.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(_GROUPS_WAIT_S):
            await _until_groups(settings, set(consumers))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_send(settings.http.local_url, say))
        for key in settings.redis.streams.keys("events"):
            tasks.create_task(_watch(settings.redis.url, key, say))


async def _until_groups(settings: Settings, wanted: set[str]) -> None:
    async with connections.control(settings.redis.url) as control:
        for key in settings.redis.streams.keys("events"):
            while wanted - (await _groups(control, key)).keys():  # noqa: ASYNC110 - Redis decides
                await asyncio.sleep(_POLL_S)


async def _groups(control: Redis, key: str) -> dict[str, str]:
    """The groups of a stream and the last id delivered to each; none while Redis is away."""
    try:
        groups: Any = await control.xinfo_groups(key)
    except (*AWAY, ResponseError):
        return {}
    return {group["name"].decode(): group["last-delivered-id"].decode() for group in groups}


async def _send(url: str, say: Say) -> None:
    async with sending(url, timeout_s=10) as sender:
        for comment_id in itertools.cycle(_COMMENTS):
            body = body_of(
                "comment.updated", portal=SANDBOX, ts=int(time.time()), comment_id=comment_id
            )
            try:
                answer = await sender.send(body)
            except NoAnswer as error:
                say("portal", f"comment/{comment_id} updated; no answer from {error}")
            else:
                stored = f", stored: {answer.stored}" if answer.stored else ""
                say(
                    "portal",
                    f"comment/{comment_id} updated; "
                    f"the receiver answers {answer.status} {answer.body}{stored}",
                )
            await asyncio.sleep(1)


async def _watch(redis_url: str, key: str, say: Say) -> None:
    progress = Progress()
    async with (
        connections.control(redis_url) as control,
        asyncio.TaskGroup() as tasks,
    ):
        tasks.create_task(_see(redis_url, key, progress, say))
        tasks.create_task(_ask(control, key, progress, say))


async def _see(redis_url: str, key: str, progress: Progress, say: Say) -> None:
    following = follow(redis_url, [key], told=lambda sentence: say("stream", sentence))
    async with aclosing(following) as entries:
        async for entry in entries:
            say("stream", tail.as_line(entry))
            progress.seen(entry.id, entry.event.subject if entry.event else "an entry")


async def _ask(control: Redis, key: str, progress: Progress, say: Say) -> None:
    while True:
        await asyncio.sleep(_POLL_S)
        span = progress.span()
        if span is None:
            continue
        for group, last in (await _groups(control, key)).items():
            try:
                # After the position above: what was delivered later does not count as done.
                pending: Any = await control.xpending_range(key, group, *span, count=10_000)
            except (*AWAY, ResponseError):
                continue  # Redis is away, which the other task tells, or the group is
            ids = {one["message_id"].decode() for one in pending}
            for subject in progress.acknowledged(group, last_delivered=last, pending=ids):
                say(group, f"{subject} handled and acknowledged")
