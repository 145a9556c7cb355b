"""Runs one receiver process: assembles a receiver, and lets it work until told to stop."""

import asyncio
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Any, Final

import structlog
from aiohttp import web
from redis.asyncio import Redis

from gateway.background import Watch, watched
from gateway.hangups import Hangups
from gateway.heartbeats.heartbeat import Heartbeat
from gateway.heartbeats.process_report import ProcessReport, instance_id
from gateway.heartbeats.systemd_notices import telling_systemd
from gateway.label_values import begin_receiver_at_zero
from gateway.last_resort import end_within
from gateway.publishing.batch_figures import answers_until_now
from gateway.redis_access import connections
from gateway.settings import Settings
from gateway.span_export import exporting
from gateway.vital_metrics import tell_build
from gateway.web.admin import AdminPages, admin_app
from gateway.web.assembly import ReceiverParts, assemble
from gateway.web.listening import ListeningPlace
from gateway.web.reloading import Reloading

__all__ = ["serve"]

log: Any = structlog.get_logger(__name__)

_EXIT_S: Final = 1.0
"""How long the process may take to end after all that has been closed."""


async def serve(
    settings: Settings,
    place: ListeningPlace,
    read_again: Callable[[], Settings],
    *,
    admin_pages: AdminPages | None = None,
) -> None:
    """Receive deliveries until SIGTERM or SIGINT; then finish what is in flight, and return.

    On SIGHUP the portals are taken of the settings that `read_again` reads; it raises OperatorError
    if they are refused. `admin_pages` are added to what the admin listener answers.
    A stop takes [http] grace_s at most; a second signal ends a process that is not supervised at
    once. Raises OperatorError if the settings cannot work on this machine, BackgroundFailed if a
    part of the receiver that cannot be begun anew has ended.
    """
    tell_build()
    begin_receiver_at_zero()
    stopping = _stop_on_signals(settings.http.grace_s, is_supervised=place.is_supervised)
    hangups = Hangups()
    with watched(stopping.set) as watch:
        async with AsyncExitStack() as opening:
            instance, grace_s = instance_id(), settings.http.grace_s
            await opening.enter_async_context(
                exporting("b24-receiver", instance=instance, grace_s=grace_s)
            )
            control = connections.control(settings.redis.url, timeout_s=1.0)
            opening.push_async_callback(control.aclose)
            parts = await opening.enter_async_context(assemble(settings, control))
            opened = opening.pop_all()
        private = _admin_listener(settings, parts, watch, admin_pages)
        heartbeat = _heartbeat(settings, control, parts, place.worker, instance)
        try:
            await parts.start()
            _spare_the_collector()
            await place.open(parts.public, private)
            heartbeat.start()
            reloading = Reloading(settings, read_again, parts.senders)
            async with (
                parts.server.sweeping(),
                _supervised(place, watch),
                hangups.answered_by(reloading.take),
            ):
                await stopping.wait()
                log.info("stopping")
        finally:
            try:
                async with asyncio.timeout(settings.http.grace_s):
                    await asyncio.gather(parts.close(), heartbeat.close())
                    await private.cleanup()
                    await opened.aclose()
            except TimeoutError:
                log.error("the grace time is over; what was not stored was not answered")
                sys.exit(1)
        log.info("stopped")


def _supervised(place: ListeningPlace, watch: Watch) -> AbstractAsyncContextManager[None]:
    """Tell systemd of the process, unless a supervisor of ours does so for it."""
    return nullcontext() if place.is_supervised else telling_systemd(watch.why_not_alive)


def _admin_listener(
    settings: Settings, parts: ReceiverParts, watch: Watch, pages: AdminPages | None
) -> web.AppRunner:
    app = admin_app(
        parts.storage.readiness.why_not_ready,
        why_not_alive=watch.why_not_alive,
        hosts=settings.admin.hosts,
        pages=pages,
    )
    return web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)


def _heartbeat(
    settings: Settings, control: Redis, parts: ReceiverParts, worker: str | None, instance: str
) -> Heartbeat:
    admin = settings.admin

    async def report() -> ProcessReport:
        return ProcessReport.of_this_process(
            "receiver",
            why_not=await parts.storage.readiness.why_not_ready(),
            worker=worker,
            admin=f"{admin.host}:{admin.port}",
            layouts=len(settings.redis.streams.counts),
            spool=await parts.storage.spool_state(),
            answers=answers_until_now(),
        )

    return Heartbeat(control, report, prefix=settings.redis.prefix, instance=instance)


def _spare_the_collector() -> None:
    """Look no more for garbage among what the start has made, which lives as long as the process.

    That is 60,000 objects, and 5 % of the time of a request:
    https://docs.python.org/3/library/gc.html#gc.freeze.
    """
    gc.collect()
    gc.freeze()


def _stop_on_signals(grace_s: float, *, is_supervised: bool) -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        stopping.set()
        if not is_supervised:  # else the supervisor kills what does not end
            end_within(grace_s + _EXIT_S)
            for number in numbers:
                loop.remove_signal_handler(number)
                signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, stop)
    return stopping
