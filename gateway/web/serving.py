"""One receiver process: wires portals, publisher and listeners, and runs until told to stop."""

import asyncio
import gc
import signal
import sys
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from aiohttp import web

from gateway.background import Watch, watched
from gateway.errors import OperatorError
from gateway.installation.assembly import open_application
from gateway.publishing.durability import Ack, check_at_start
from gateway.publishing.errors import SpoolUnavailable
from gateway.publishing.memory_gate import MemoryGate
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool.drainer import Drainer
from gateway.publishing.spool.reports import SpoolReporter
from gateway.publishing.spool.store import Spool
from gateway.publishing.stream_writer import stream_writer
from gateway.redis_access import connections
from gateway.retention.keeper import Retention
from gateway.settings import Settings
from gateway.web.admin import admin_app
from gateway.web.app_events import AppEvents
from gateway.web.install_page import install_page
from gateway.web.listening import Place
from gateway.web.protection.descriptors import room_for
from gateway.web.public_server import PublicServer
from gateway.web.readiness import Readiness
from gateway.web.receiver import Receiver
from gateway.web.senders import Senders

__all__ = ["serve"]

log: Any = structlog.get_logger(__name__)

_LAST_REQUESTS_S: Final = 0.5
# How long a stop waits for requests that are on their way on open connections: some round trips.


async def serve(settings: Settings, place: Place) -> None:
    """Receive deliveries until SIGTERM or SIGINT; then finish what is in flight, and return.

    A stop takes [http] grace_s at most; a second signal ends a process that is not supervised at
    once. Raises OperatorError if the settings cannot work on this machine, BackgroundFailed if a
    part of the receiver that cannot be begun anew has ended.
    """
    stopping = _stop_on_signals(is_supervised=place.is_supervised)
    with watched(stopping.set) as watch:
        await _serve(settings, place, stopping, watch)


async def _serve(settings: Settings, place: Place, stopping: asyncio.Event, watch: Watch) -> None:
    stack = AsyncExitStack()
    control = connections.control(settings.redis.url, timeout_s=1.0)
    stack.push_async_callback(control.aclose)
    try:
        senders = Senders(settings, control)
        application = await stack.enter_async_context(
            open_application(settings, control, senders.follower)
        )
        await check_at_start(control, Ack.parse(settings.publish.ack))
    except OperatorError:
        await stack.aclose()
        raise
    spool_dir = Path(settings.spool.dir)
    spool = await Spool.open(spool_dir, max_bytes=settings.spool.max_bytes)
    gate = MemoryGate(
        control, settings.redis.streams, max_share=settings.retention.max_memory_share
    )
    retention = Retention(control, settings.redis.streams, settings.retention)
    publisher = Publisher(settings.redis, settings.publish, spool, holds_back=gate.is_closed)
    reporter = SpoolReporter(control, spool_dir, prefix=settings.redis.prefix)
    drainer = Drainer(
        spool,
        spool_dir,
        settings.redis.streams,
        partial(stream_writer, settings.redis, settings.publish),
        reporter=reporter,
        deadline_s=settings.publish.deadline_s,
        holds_back=gate.is_closed,
    )

    http = settings.http
    receiver = Receiver(
        senders.directory,
        publisher,
        settings.redis.streams,
        http,
        app_events=AppEvents(
            publisher,
            settings.redis.streams,
            lifecycle=application.lifecycle,
            signals=application.signals,
            counts=senders.rates.counts,
        ),
        event_tokens=application.event_tokens,
        guard=senders.guard,
        page=install_page(settings, application),
        quarantine=senders.quarantining,
        counts=senders.rates.counts,
    )
    server = PublicServer(receiver, http, max_connections=room_for(http.max_connections))
    # aiohttp waits twice so long: for the requests under way, then for those that it has cut off.
    public = web.ServerRunner(server, handle_signals=False, shutdown_timeout=http.grace_s / 2)
    private = web.AppRunner(
        admin_app(
            Readiness(control, publisher, spool).why_not_ready,
            why_not_alive=watch.why_not_alive,
            hosts=settings.admin.hosts,
        ),
        access_log=None,
        handle_signals=False,
        shutdown_timeout=1.0,
    )
    for part in (publisher, drainer, gate, retention):
        part.start()
    try:
        await senders.start()
        application.start()
        _spare_the_collector()
        await place.open(public, private)
        async with server.sweeping():
            await stopping.wait()
        log.info("stopping")
    finally:
        try:
            async with asyncio.timeout(http.grace_s):
                await asyncio.gather(
                    _finish(public, server), drainer.close(), gate.close(), retention.close()
                )
                await publisher.close()
                with suppress(SpoolUnavailable):
                    await reporter.leave(await spool.measure())
                await spool.close()
                await private.cleanup()
                await application.close()
                await senders.close()
                await stack.aclose()
        except TimeoutError:
            log.error("the grace time is over; what was not stored was not answered")
            sys.exit(1)
    log.info("stopped")


def _spare_the_collector() -> None:
    """Look no more for garbage among what the start has made, which lives as long as the process.

    That is 60,000 objects, and 5 % of the time of a request:
    https://docs.python.org/3/library/gc.html#gc.freeze.
    """
    gc.collect()
    gc.freeze()


async def _finish(public: web.ServerRunner, server: PublicServer) -> None:
    """Stop accepting connections, and answer the requests on those that there are."""
    for site in public.sites:
        await site.stop()
    await server.last_requests(_LAST_REQUESTS_S)
    await public.cleanup()


def _stop_on_signals(*, is_supervised: bool) -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        stopping.set()
        if not is_supervised:
            for number in numbers:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, stop)
    return stopping
