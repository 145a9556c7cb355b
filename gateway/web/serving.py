"""One receiver process: wires portals, publisher and listeners, and runs until told to stop."""

import asyncio
import signal
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from gateway import connections
from gateway.errors import OperatorError
from gateway.portals.directory import Directory, portals_of
from gateway.portals.following import Follower
from gateway.portals.registry import Registry
from gateway.portals.snapshot import Snapshot
from gateway.publishing.drainer import Drainer
from gateway.publishing.durability import Ack, check_at_start
from gateway.publishing.publisher import Publisher
from gateway.publishing.spool import Spool
from gateway.publishing.stream_writer import stream_writer
from gateway.settings import Settings
from gateway.web.admin import admin_app
from gateway.web.public_server import PublicServer
from gateway.web.receiver import Receiver

__all__ = ["serve"]

log: Any = structlog.get_logger(__name__)


async def serve(settings: Settings) -> None:
    """Receive deliveries until SIGTERM or SIGINT; then finish what is in flight, and return.

    Raises OperatorError if the settings cannot work on this machine.
    """
    directory = Directory(portals_of(settings.portals))
    stopping = _stop_on_signals()
    control = connections.control(settings.redis.url, timeout_s=1.0)
    try:
        await check_at_start(control, Ack.parse(settings.publish.ack))
    except OperatorError:
        await control.aclose()
        raise
    spool_dir = Path(settings.spool.dir)
    spool = await Spool.open(spool_dir, max_bytes=settings.spool.max_bytes)
    publisher = Publisher(settings.redis, settings.publish, spool)
    drainer = Drainer(
        spool,
        spool_dir,
        settings.redis.streams,
        partial(stream_writer, settings.redis, settings.publish),
        deadline_s=settings.publish.deadline_s,
    )
    prefix = settings.redis.prefix
    follower = Follower(
        directory, Registry(control, prefix=prefix), Snapshot(spool_dir, prefix=prefix)
    )

    async def why_not_ready() -> str | None:
        try:
            await control.ping()
        except connections.AWAY as error:
            return f"redis is away: {type(error).__name__}"
        return None

    http, admin = settings.http, settings.admin
    server = PublicServer(Receiver(directory, publisher, settings.redis.streams, http), http)
    public = web.ServerRunner(server, handle_signals=False, shutdown_timeout=http.grace_s)
    private = web.AppRunner(
        admin_app(why_not_ready), access_log=None, handle_signals=False, shutdown_timeout=1.0
    )
    publisher.start()
    drainer.start()
    try:
        await follower.start()
        if not len(directory):
            log.warning("no portals are registered: every delivery will be refused")
        await _listen(private, admin.host, admin.port, name="[admin] port")
        await _listen(public, http.host, http.port, name="[http] port")
        log.info(
            "listening",
            url=f"http://{http.host}:{http.port}{http.path}",
            admin=f"http://{admin.host}:{admin.port}",
            portals=len(directory),
        )
        async with server.sweeping():
            await stopping.wait()
        log.info("stopping")
    finally:
        await public.cleanup()  # stops accepting, then waits for what is in flight
        await publisher.close()
        await drainer.close()
        await spool.close()
        await private.cleanup()
        await follower.close()
        await control.aclose()
    log.info("stopped")


def _stop_on_signals() -> asyncio.Event:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _listen(runner: web.BaseRunner, host: str, port: int, *, name: str) -> None:
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        raise OperatorError(f"{name} {port} on {host} cannot be used: {error.strerror}") from error
