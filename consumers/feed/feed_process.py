"""Runs the feed's process: the tail, the fan-out, the listeners, until it is told to stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import structlog
from aiohttp import web
from redis.asyncio import Redis

from consumers.feed.access_tokens import AccessTokens
from consumers.feed.client_following import StreamTimes
from consumers.feed.cursor import Cursors
from consumers.feed.fan_out import FanOut
from consumers.feed.feed_health import FeedHealth
from consumers.feed.feed_http import FeedHttp
from consumers.feed.feed_server import FeedServer
from consumers.feed.page_reading import PageReader
from consumers.feed.recent_entries import RecentEntries
from consumers.feed.stream_tail import StreamTail
from consumers.runtime.health import listening
from consumers.runtime.outages import Outages
from gateway.background import Background, owned, watched
from gateway.ending import end
from gateway.heartbeats.heartbeat import beating
from gateway.heartbeats.process_report import ProcessReport, instance_id
from gateway.heartbeats.systemd_notices import telling_systemd
from gateway.partitioning.partition_follower import following
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.settings.sections.kinds import local_url
from gateway.vital_metrics import tell_build
from gateway.web.listening import listen

__all__ = ["HEARTBEAT_S", "run"]

log: Any = structlog.get_logger(__name__)

_REMEMBERED_S: Final = 600.0
"""How long an event stays in memory: what is erased in Redis is gone here ten minutes later."""
_IDLE_S: Final = 0.1
"""How long a request is awaited that may be on its way when the process stops."""
HEARTBEAT_S: Final = 15.0
"""How often a stream says that it lives: proxies cut what is silent for a minute, and browsers
notice only so that nobody is there any more."""
_CUT_S: Final = 1.0
"""How long a client may take to end its connection when the process stops."""


async def run(settings: Settings, stop: asyncio.Event) -> None:
    """Serve until `stop` is set; then streams end in order, and their clients go elsewhere.

    Raises OperatorError, BackgroundFailed.
    """
    tokens = AccessTokens(settings.feed.tokens)
    tell_build()
    if not settings.feed.tokens:
        log.warning("nobody may read: `consumers feed token` makes what [[feed.tokens]] needs")
    async with AsyncExitStack() as stack:
        watch = stack.enter_context(watched(stop.set))
        client = connections.control(settings.redis.url)
        stack.push_async_callback(client.aclose)
        ended, outages = _Ended(stop), Outages()
        await stack.enter_async_context(following(client, settings.redis.streams, ended.renew))
        parts = _Parts(settings, client, outages)
        health = FeedHealth(outages, watch, settings.consumers)
        health.is_of(parts.tail, parts.recent)
        own = settings.consumers
        admin = await stack.enter_async_context(
            listening(own.host, own.port, health, hosts=settings.admin.hosts)
        )
        await stack.enter_async_context(telling_systemd(health.why_not_alive))

        async def report() -> ProcessReport:
            return ProcessReport.of_this_process(
                "feed",
                why_not=await health.why_not_ready(),
                stream=settings.feed.stream,
                admin=admin,
                layouts=len(settings.redis.streams.counts),
            )

        prefix = settings.redis.prefix
        await stack.enter_async_context(
            beating(client, report, prefix=prefix, instance=instance_id())
        )
        while not stop.is_set():
            async with ended.of_this_turn() as over, _serving(settings, parts, tokens):
                await parts.tail.run(parts.fan_out, over)
            # Readers come again within seconds, and go on from their cursors.
            parts = _Parts(settings, client, outages)
            health.is_of(parts.tail, parts.recent)
    log.info("feed stopped")


class _Ended:
    """Says when the parts of the process have to end: at its stop, or to be made anew for another
    number of partitions.
    """

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._is_stale = asyncio.Event()

    async def renew(self) -> None:
        """Let the parts be made anew."""
        self._is_stale.set()

    @asynccontextmanager
    async def of_this_turn(self) -> AsyncIterator[asyncio.Event]:
        """What is set when the parts that are there in this context have to end."""
        self._is_stale = over = asyncio.Event()

        async def stopping() -> None:
            await self._stop.wait()
            over.set()

        task = owned(stopping())
        try:
            yield over
        finally:
            await end(task)


class _Parts:
    """The parts of one process, which share what they know of the stream."""

    def __init__(self, settings: Settings, client: Redis, outages: Outages) -> None:
        own, streams = settings.feed, settings.redis.streams
        partitions = len(streams.numbers)
        self.cursors = Cursors(streams.key(own.stream, 0), partitions)
        self.recent = RecentEntries(partitions, max_bytes=own.buffer_bytes, longest_s=_REMEMBERED_S)
        self.tail = StreamTail(
            settings.redis.url,
            client,
            streams,
            own.stream,
            self.recent,
            outages=outages,
            remembers_s=_REMEMBERED_S,
            remembers_bytes=own.buffer_bytes,
        )
        self.fan_out = FanOut(self.cursors, partitions, heartbeat_s=HEARTBEAT_S)
        self.pages = PageReader(client, self.tail, self.recent)


@asynccontextmanager
async def _serving(settings: Settings, parts: _Parts, tokens: AccessTokens) -> AsyncIterator[None]:
    """Answer requests, from before the stream is read until after; at the end, let all go."""
    own = settings.feed
    http = FeedHttp(
        tokens,
        cursors=parts.cursors,
        tail=parts.tail,
        pages=parts.pages,
        fan_out=parts.fan_out,
        times=StreamTimes(own.stream_s, own.send_timeout_s, HEARTBEAT_S),
        max_requests_per_token=own.max_requests_per_token,
    )
    server = FeedServer(http.handle, own)
    runner = web.ServerRunner(server, shutdown_timeout=_CUT_S)
    sending = Background(parts.fan_out.run, name="fan-out")
    sending.start()
    try:
        await listen(runner, own.host, own.port, name="[feed] port")
        log.info("feed serves", url=f"{local_url(own.host, runner.addresses[0][1])}/events")
        async with server.sweeping():
            yield
    finally:
        for site in list(runner.sites):
            await site.stop()
        parts.fan_out.stop()
        await server.last_requests(settings.consumers.grace_s / 2, idle_s=_IDLE_S)
        await sending.close()
        await runner.cleanup()
