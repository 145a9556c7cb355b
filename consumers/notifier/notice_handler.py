"""Puts events of the stream into the outboxes of targets, and runs the senders beside that."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import structlog
from msgspec import Struct
from redis.asyncio import Redis

from consumers import Entry, Transient
from consumers.notifier import metrics
from consumers.notifier.conditions import is_echo
from consumers.notifier.notices import News, key_of, merged, news_of, replaced
from consumers.notifier.outbox import Change, Outbox
from consumers.notifier.portal_domains import Domains
from consumers.notifier.routes import Route, idle_routes, routes_for
from consumers.notifier.sender import TargetSender
from consumers.notifier.target_portals import in_reach
from gateway.contract import Event
from gateway.ending import end
from gateway.redis_access import connections
from gateway.redis_access.redis_faults import AWAY_OR_REFUSING, failures_as, predicate
from gateway.settings import Settings

__all__ = ["Notifier"]

log = structlog.get_logger()


def now_ms() -> int:
    """The milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class _Line(Struct, frozen=True, eq=False):
    """A route's line to one of its targets."""

    route: Route
    sender: TargetSender


class Notifier:
    """Handles events for the notifier, and runs the senders beside that.

    `domains`, if there are any, are kept up to date. `clock` gives the time in milliseconds since
    1970.
    """

    def __init__(
        self,
        settings: Settings,
        routes: tuple[Route, ...],
        *,
        domains: Domains | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._settings = settings
        self._domains = domains
        self._clock = clock
        self._routes = routes
        self._lines: tuple[_Line, ...] = ()

    def connect(self, redis: Redis) -> tuple[TargetSender, ...]:
        """Use this client of Redis from now on; the senders, which somebody has to run."""
        prefix = self._settings.redis.prefix
        self._lines = tuple(
            _Line(
                route,
                TargetSender(
                    channel,
                    Outbox(redis, prefix=prefix, name=channel.target.name),
                    clock=self._clock,
                ),
            )
            for route in self._routes
            for channel in route.channels
        )
        return tuple(line.sender for line in self._lines)

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Run the senders; on leaving, let what is being sent end, for [consumers] grace_s."""
        for name in idle_routes(self._routes, self._settings):
            log.warning("none of a route's events is taken", route=name, mend="[[events]]")
        redis = connections.control(self._settings.redis.url)
        try:
            senders = self.connect(redis)
            targets = [sender.channel.target for sender in senders]
            async with in_reach(targets, self._settings), asyncio.TaskGroup() as tasks:
                following = tasks.create_task(self._follow(redis))
                running = [tasks.create_task(sender.run()) for sender in senders]
                try:
                    yield
                finally:
                    for sender in senders:
                        sender.stop()
                    await self._end(senders, running)
                    await end(following)
        finally:
            await redis.aclose()

    async def _follow(self, redis: Redis) -> None:
        if self._domains is not None:
            await self._domains.follow(redis, prefix=self._settings.redis.prefix)

    async def _end(
        self, senders: Sequence[TargetSender], running: Sequence[asyncio.Task[None]]
    ) -> None:
        """Wait for the senders, but not longer than a stop may take: Redis may be away."""
        if not running:
            return
        _, late = await asyncio.wait(running, timeout=self._settings.consumers.grace_s)
        if not late:
            return
        cut_off = [await sender.abandon() for sender in senders]
        await end(*late)
        log.warning("stopped while notifications were under way", messages=sum(cut_off))

    async def handle(self, event: Event, entry: Entry) -> None:
        """Put an event into the outbox of every target that is to be told of it.

        Idempotent on the event's id for each target. Waits for no target. Raises Transient while
        Redis is away or refuses.
        """
        if entry.is_replay:
            return
        wanted = {route.name for route in routes_for(event, self._routes, self._settings.notifier)}
        news = news_of(event, entry.raw, now_ms=self._clock())
        is_over = news.kind in {"deleted", "gone"} and not is_echo(event, self._settings.notifier)
        lines = [one for one in self._lines if one.route.name in wanted or is_over]
        with failures_as(_to_be_tried_again, among=AWAY_OR_REFUSING):
            for line in lines:
                await self._take(line, news, key_of(event), is_wanted=line.route.name in wanted)

    async def _take(self, line: _Line, news: News, key: str, *, is_wanted: bool) -> None:
        sender = line.sender
        waiting = None if is_wanted else await sender.outbox.notice(key)
        if waiting is None and not is_wanted:
            return
        while True:
            notice = merged(waiting, news, is_wanted=is_wanted)
            # Anew as well for what a clock took up that was ahead; a lease is left to run out.
            is_new = waiting is None or (not waiting.lease and waiting.since_ms > news.at_ms)
            begins = notice is not None and is_new
            due_ms = sender.channel.policy.timing.due_ms(news.at_ms) if begins else None
            reply = await sender.outbox.take(
                news.event_id,
                Change(key, waiting, notice, due_ms),
                replaced=replaced(waiting, news),
            )
            if reply == "taken":
                return
            if reply == "done":
                break
            waiting = reply
        metrics.TAKEN.labels(sender.channel.target.name).inc()
        sender.wake()


def _to_be_tried_again(error: Exception) -> Transient:
    return Transient(f"Redis {predicate(error)}")
