"""Opens the ports of a receiver process: those of the settings, or where its supervisor says."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from aiohttp import web

from gateway.errors import OperatorError
from gateway.settings import HttpSettings, Settings

__all__ = [
    "ListeningPlace",
    "SingleProcessPlace",
    "WorkerPlace",
    "listen",
    "listen_on",
    "public_url",
]

log: Any = structlog.get_logger(__name__)

_BACKLOG: Final = 1024
# How many connections may wait to be accepted: a burst, or a second without the process.


class ListeningPlace(Protocol):
    """Where a receiver process listens, and who ends it."""

    is_supervised: bool
    """True if another process decides when the time to stop is over."""

    @property
    def worker(self) -> str | None:
        """What the supervisor calls this process, if there is one."""
        ...

    async def open(self, public: web.BaseRunner, private: web.BaseRunner) -> None:
        """Listen for deliveries and for operators, and say so; raises OperatorError."""
        ...


class SingleProcessPlace:
    """Listens on the ports of the settings, for the only process of a receiver."""

    is_supervised = False
    worker = None

    def __init__(self, settings: Settings, inherited: Sequence[socket.socket] = ()) -> None:
        """With `inherited` sockets, [http] host and port are left alone."""
        self._http = settings.http
        self._admin = settings.admin
        self._inherited = inherited

    async def open(self, public: web.BaseRunner, private: web.BaseRunner) -> None:
        """Listen on [admin] port, then for deliveries."""
        http, admin = self._http, self._admin
        await listen(private, admin.host, admin.port, name="[admin] port")
        if self._inherited:
            await listen_on(public, self._inherited)
        else:
            await listen(public, http.host, http.port, name="[http] port")
        log.info(
            "listening",
            url=public_url(http, self._inherited),
            admin=f"http://{admin.host}:{admin.port}",
        )


class WorkerPlace:
    """Listens where the supervisor says, for one of several workers.

    It listens on sockets that its supervisor bound and keeps open, and for the supervisor's
    questions on a file of its own.
    """

    is_supervised = True

    def __init__(self, worker: str, listeners: Sequence[int], admin_socket: Path) -> None:
        self.worker = worker
        self._listeners = listeners
        self._admin_socket = admin_socket

    async def open(self, public: web.BaseRunner, private: web.BaseRunner) -> None:
        """Listen for deliveries, and then for the questions whether this process does."""
        await listen_on(public, [socket.socket(fileno=one) for one in self._listeners])
        await private.setup()
        self._admin_socket.unlink(missing_ok=True)  # a killed predecessor's
        await web.UnixSite(private, self._admin_socket).start()
        log.info("accepting deliveries")


def public_url(http: HttpSettings, listeners: Sequence[socket.socket]) -> str:
    """Where deliveries are taken, for people: on the first of these, else on [http] port."""
    host, port = http.host, http.port
    if listeners:
        host, port, *_ = listeners[0].getsockname()
    return f"http://{host}:{port}{http.path}"


async def listen_on(runner: web.BaseRunner, listeners: Sequence[socket.socket]) -> None:
    """Listen on sockets that somebody else has bound, and keeps open if he likes."""
    await runner.setup()
    for listener in listeners:
        await web.SockSite(runner, listener, backlog=_BACKLOG).start()


async def listen(runner: web.BaseRunner, host: str, port: int, *, name: str) -> None:
    """Listen on a port; raises OperatorError, which calls it `name`, if it cannot be used."""
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=_BACKLOG).start()
    except OSError as error:
        raise OperatorError(f"{name} {port} on {host} cannot be used: {error.strerror}") from error
