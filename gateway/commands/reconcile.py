"""`gateway reconcile` finds what the receiver missed."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final

import click
import structlog
import uvloop
from aiohttp import web

from gateway import logs
from gateway.commandline import settings_of
from gateway.hangups import stop_signals
from gateway.heartbeats.process_report import instance_id
from gateway.heartbeats.systemd_notices import telling_systemd
from gateway.last_resort import end_within
from gateway.reconciler.process import ReconcilerProcess
from gateway.settings import Settings
from gateway.span_export import exporting
from gateway.web.admin import admin_app
from gateway.web.listening import listen

__all__ = ["command"]

log: Any = structlog.get_logger(__name__)

_EXIT_S: Final = 5.0
"""How long giving up the lease and closing everything may take after the work in hand."""


@click.command("reconcile")
@click.option("--once", is_flag=True, help="Look after each portal once, and end.")
@click.pass_context
def command(context: click.Context, *, once: bool) -> None:
    r"""Find what the receiver missed, and publish it.

    Any number of processes may run; one of them works, and another one goes on when it dies. Health
    and metrics are on [reconcile] host and port. SIGTERM or Ctrl-C ends the process when what is in
    hand is done, a second one at once. With --once the exit code is 1 if something went wrong for a
    portal. More: docs/missed-events.md.

    \b
    gateway reconcile
    gateway reconcile --once
    """
    settings = settings_of(context)
    logs.configure(settings.log, process="reconcile")
    if once:
        sys.exit(0 if uvloop.run(_once(settings)) else 1)
    uvloop.run(_run(settings))


async def _once(settings: Settings) -> bool:
    async with _traced(settings):
        return await ReconcilerProcess(settings).once()


async def _run(settings: Settings) -> None:
    stop = _stop_on_signals(settings.reconcile.grace_s)
    process = ReconcilerProcess(settings)
    async with (
        _traced(settings),
        _listening(process, settings) as address,
        telling_systemd(process.why_not_alive),
    ):
        await process.run(stop, admin=address)
    log.info("stopped")


def _traced(settings: Settings) -> AbstractAsyncContextManager[None]:
    own = settings.reconcile
    return exporting("b24-reconcile", instance=instance_id(), grace_s=own.grace_s)


@asynccontextmanager
async def _listening(process: ReconcilerProcess, settings: Settings) -> AsyncIterator[str]:
    """Answer probes meanwhile; on which host and port."""
    app = admin_app(
        process.why_not_ready, why_not_alive=process.why_not_alive, hosts=settings.admin.hosts
    )
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    own = settings.reconcile
    try:
        await listen(runner, own.host, own.port, name="[reconcile] port")
        address = f"{own.host}:{runner.addresses[0][1]}"
        log.info("health and metrics", url=f"http://{address}/metrics")
        yield address
    finally:
        await runner.cleanup()


def _stop_on_signals(grace_s: float) -> asyncio.Event:
    stop = asyncio.Event()

    def told() -> None:
        if stop.is_set():
            os._exit(1)
        log.info("stopping")
        end_within(grace_s + _EXIT_S)
        stop.set()

    for number in stop_signals():
        asyncio.get_running_loop().add_signal_handler(number, told)
    return stop
