"""Runs a receiver of several worker processes on one port: starts them, and speaks for them.

Each worker has listening sockets of its own on the port (SO_REUSEPORT), among which the kernel
spreads new connections: https://man7.org/linux/man-pages/man7/socket.7.html. This process binds
them and keeps them open, unless it has inherited sockets for all of them. So connections that wait
to be accepted survive their worker: the one that is started in its place finds them in the queue.
It accepts none itself.
"""

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import structlog
from aiohttp import web
from msgspec.structs import replace

from gateway import metrics
from gateway.errors import OperatorError
from gateway.heartbeats.systemd_notices import SystemdNotices
from gateway.processes.child import Child
from gateway.processes.supervisor import Supervisor, how_it_ended
from gateway.settings import Settings
from gateway.web.admin import AdminPages, admin_app
from gateway.web.listening import listen, public_url
from gateway.web.reloading import settings_again
from gateway.web.worker import Assignment
from gateway.web.worker_reports import WorkerReports

__all__ = ["serve_by_workers"]

log: Any = structlog.get_logger(__name__)

_FATAL = {2: "what to mend is said above"}


async def serve_by_workers(
    settings: Settings,
    config: str | None,
    inherited: Sequence[socket.socket] = (),
    *,
    admin_pages: AdminPages | None = None,
) -> None:
    """Receive deliveries by `[http] workers` processes until SIGTERM or SIGINT, and return.

    On SIGHUP the workers take the portals of the settings anew, of the file `config` if one was
    named. With `inherited` sockets, all of them accept on these, and [http] host and port are left
    alone. `admin_pages` are added to what the admin listener answers, which is this process's.
    A worker that ends is started again. A stop gives the workers [http] grace_s, and a second
    signal ends them at once. Raises OperatorError if the settings cannot work on this machine.
    """
    http, admin = settings.http, settings.admin
    names = [f"worker-{number}" for number in range(1, http.workers + 1)]
    with (
        tempfile.TemporaryDirectory(prefix="gateway-") as directory,
        _listeners(settings, inherited) as listeners,
    ):
        async with WorkerReports(Path(directory), names) as reports:
            current = _Current(settings, config, reports, names)
            children = [
                _worker(name, current, own, reports)
                for name, own in zip(names, listeners, strict=True)
            ]
            app = admin_app(
                reports.why_not_ready,
                why_not_alive=reports.why_not_alive,
                exposition=reports.exposition,
                hosts=admin.hosts,
                pages=admin_pages,
            )
            runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
            notices = SystemdNotices(reports.why_not_alive, os.environ)
            try:
                await listen(runner, admin.host, admin.port, name="[admin] port")
                observer = _Observer(settings, listeners, reports, notices)
                await Supervisor(
                    [children], observer, grace_s=http.grace_s, on_hangup=current.take
                ).run()
            finally:
                await notices.close()
                await runner.cleanup()
    log.info("stopped")


def _worker(
    name: str, current: "_Current", listeners: Sequence[socket.socket], reports: WorkerReports
) -> Child:
    descriptors = tuple(listener.fileno() for listener in listeners)

    def assignment() -> bytes:
        return msgspec.json.encode(
            Assignment(
                name=name,
                settings=current.settings,
                config=current.config,
                listeners=descriptors,
                admin_socket=str(reports.socket_of(name)),
            )
        )

    return Child(
        name=name,
        argv=(sys.executable, "-m", "gateway.web.worker_start"),
        env={"PROMETHEUS_MULTIPROC_DIR": str(reports.metrics_dir)},
        pass_fds=descriptors,
        given=assignment,
        # Through this process its last words would be lost if this process were killed.
        shares_output=True,
        ready=lambda: reports.answers(name),
        fatal=_FATAL,
    )


class _Current:
    """Has the settings with which a worker is started now: those of the start, the portals as they
    were read last.
    """

    def __init__(
        self,
        settings: Settings,
        config: str | None,
        reports: WorkerReports,
        names: Sequence[str],
    ) -> None:
        self.settings = settings
        self.config = config
        self._names = names
        self._reports = reports

    def take(self) -> None:
        """Read the portals again, and have all workers do so; what is refused changes nothing."""
        try:
            portals = settings_again(self.config).portals
        except OperatorError as error:
            log.error("the settings were not read again; everything stays", why=str(error))
            return
        self.settings = replace(self.settings, portals=portals)
        for name, pid in self._reports.pids.items():
            if name in self._names:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGHUP)


class _Observer:
    """Says in the log what happens to the workers, and keeps the account of the dead."""

    def __init__(
        self,
        settings: Settings,
        listeners: Sequence[Sequence[socket.socket]],
        reports: WorkerReports,
        notices: SystemdNotices,
    ) -> None:
        self._notices = notices
        self._settings = settings
        self._listeners = listeners
        self._reports = reports

    def started(self, name: str, pid: int) -> None:
        """A worker was started, for the first time or again."""
        self._reports.pids[name] = pid
        log.info("worker started", worker=name, pid=pid)

    def said(self, name: str, line: str) -> None:
        """Workers write to standard error themselves."""

    def died(self, name: str, exit_code: int, restart_in_s: float) -> None:
        """A worker ended by itself."""
        metrics.WORKER_RESTARTS.labels(name).inc()
        pid = self._reports.forget(name)
        log.warning(
            "worker ended; starting it again",
            worker=name,
            pid=pid,
            ended=how_it_ended(exit_code),
            restart_in_s=restart_in_s,
        )

    def ready(self) -> None:
        """All workers accept deliveries."""
        self._notices.start()
        http, admin = self._settings.http, self._settings.admin
        log.info(
            "listening",
            url=public_url(http, self._listeners[0]),
            admin=f"http://{admin.host}:{admin.port}",
            workers=len(self._listeners),
        )

    def stopping(self) -> None:
        """The workers are about to be told to stop: with them, the port is closed."""
        log.info("stopping")
        _close(self._listeners)


@contextmanager
def _listeners(
    settings: Settings, inherited: Sequence[socket.socket]
) -> Iterator[Sequence[Sequence[socket.socket]]]:
    """What each worker listens on. Who handed sockets over keeps them open for the next process."""
    http = settings.http
    if inherited:
        shared = [inherited] * http.workers
        yield shared
        _close(shared)
    else:
        with _bound(http.host, http.port, copies=http.workers) as bound:
            yield bound


@contextmanager
def _bound(host: str, port: int, *, copies: int) -> Iterator[list[list[socket.socket]]]:
    """`copies` times the sockets of an address, bound to one port and not listening yet.

    Port 0 is any free one. Raises OperatorError if it is taken, be it by another receiver that
    would share it.
    """
    bound: list[list[socket.socket]] = []
    try:
        try:
            _bind(bound, host, port, copies=copies)
        except OSError as error:
            raise OperatorError(
                f"[http] port {port} on {host} cannot be used: {error.strerror}"
            ) from error
        yield bound
    finally:
        _close(bound)


def _bind(bound: list[list[socket.socket]], host: str, port: int, *, copies: int) -> None:
    kind, flags = socket.SOCK_STREAM, socket.AI_PASSIVE
    addresses = socket.getaddrinfo(host, port, type=kind, flags=flags)
    for family, *_, address in addresses:
        # Without SO_REUSEPORT this fails if anybody listens, even with SO_REUSEPORT.
        with _socket(family) as probe:
            probe.bind(address)
    for _ in range(copies):
        own: list[socket.socket] = []
        bound.append(own)
        for family, *_, address in addresses:
            listener = _socket(family)
            own.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((address[0], port, *address[2:]))
            port = listener.getsockname()[1]


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _close(listeners: Sequence[Sequence[socket.socket]]) -> None:
    for own in listeners:
        for listener in own:
            listener.close()
