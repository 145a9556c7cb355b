"""Forks the commands that tests start from a process that has imported their modules already.

`tests.support.forked` asks it, and says when: most of what a command of `python -m` costs in a test
is these imports. A child is a process as any other: with an id, an environment, a directory and
files of its own, it may be killed and frozen. It ends as an interpreter does, but for its modules:
these are not taken apart one by one, for which a child would have to copy all of them.
"""

import atexit
import faulthandler
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pkgutil import walk_packages
from types import FrameType
from typing import Any, Final, NamedTuple

__all__ = ["LARGEST_REQUEST", "Request", "SharedForkServer"]

LARGEST_REQUEST: Final = 1 << 17
_OURS: Final = ("gateway", "consumers")
_LEFT_OUT: Final = ("__main__", "testing", "warehouse", "worker_start")
"""What runs when it is imported, what is for tests, and what only loading processes need, which
are executed."""


class Request(NamedTuple):
    """One process: `python -m MODULE ARGUMENTS` in this directory, with this environment."""

    module: str
    arguments: Sequence[str]
    directory: str
    environment: dict[str, str]


class SharedForkServer:
    """Serves connections, each for one process, until nobody is connected any more.

    A connection sends a request with three descriptors: standard input, output and error. It gets
    the id of the process with a descriptor of it, and the exit code once the process has ended and
    was waited for. A connection that asks for nothing keeps the server.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._connections: set[socket.socket] = set()
        self._processes: set[int] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)

    def serve(self) -> Request | None:
        """Return in the server when it is over: None; and in each process: what it has to do."""
        while True:
            for key, _events in self._selector.select():
                if (request := key.data()) is not None:
                    return Request(*request)
            if not self._connections:
                return None

    def _accept(self) -> None:
        connection, _address = self._listener.accept()
        self._connections.add(connection)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._asked, connection))

    def _asked(self, connection: socket.socket) -> Request | None:
        message, descriptors, _flags, _address = socket.recv_fds(connection, LARGEST_REQUEST, 3)
        self._selector.unregister(connection)
        if not message:
            self._forget(connection)
            return None
        pid = os.fork()
        if pid == 0:
            self._leave()
            _take(descriptors)
            return Request(*json.loads(message))
        for descriptor in descriptors:
            os.close(descriptor)
        process = os.pidfd_open(pid)
        self._processes.add(process)
        with suppress(OSError):  # whoever asked is gone
            socket.send_fds(connection, [str(pid).encode()], [process])
        self._selector.register(
            process, selectors.EVENT_READ, partial(self._ended, process, pid, connection)
        )
        return None

    def _ended(self, process: int, pid: int, connection: socket.socket) -> None:
        self._selector.unregister(process)
        self._processes.remove(process)
        os.close(process)
        _pid, status = os.waitpid(pid, 0)
        with suppress(OSError):
            connection.send(str(os.waitstatus_to_exitcode(status)).encode())
        self._forget(connection)

    def _forget(self, connection: socket.socket) -> None:
        self._connections.remove(connection)
        connection.close()

    def _leave(self) -> None:
        """Close in a child what is the server's."""
        self._selector.close()
        self._listener.close()
        for connection in self._connections:
            connection.close()
        for process in self._processes:
            os.close(process)


def _take(descriptors: Sequence[int]) -> None:
    """Have these for standard input, output and error."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)


def _become(request: Request, paths: Sequence[str]) -> None:
    """Put everything as a new interpreter finds it, and run the module."""
    os.chdir(request.directory)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    named = request.environment.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [request.directory, *filter(None, named), *paths]
    importlib.invalidate_caches()
    if request.environment.get("PYTHONFAULTHANDLER"):
        faulthandler.enable()
    sys.argv[1:] = request.arguments
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)


class _End:
    """Ends a process that has an exit code, after all else that is called at the end.

    The interpreter would take its modules apart now: 70 milliseconds, three times as much as a
    short command takes from its fork to here.
    """

    exit_code: int | None = None

    def __call__(self) -> None:
        if self.exit_code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.exit_code)


def _import() -> None:
    """Import what commands need."""
    from apprise.manager_plugins import NotificationManager

    for package in map(importlib.import_module, _OURS):
        for module in walk_packages(package.__path__, f"{package.__name__}."):
            if not set(_LEFT_OUT).intersection(module.name.split(".")):
                importlib.import_module(module.name)
    # Its services, some hundred modules, are imported when it is asked for the first of them.
    NotificationManager().load_modules()


def main() -> None:
    """Serve the listening socket that this process was given as a descriptor."""
    end = _End()
    atexit.register(end)  # before whatever is imported does so: what comes first is called last
    interrupt: Callable[[int, FrameType | None], Any] | int | None
    interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends after those who use it
    (descriptor,) = sys.argv[1:]
    if os.fork():
        return  # nobody waits for a server that several processes use
    paths = sys.path[1:]
    _import()
    gc.collect()
    gc.freeze()  # a child that ends would look at all of it, and copy it by that
    request = SharedForkServer(socket.socket(fileno=int(descriptor))).serve()
    if request is not None:
        signal.signal(signal.SIGINT, interrupt)
        try:
            _become(request, paths)
        except SystemExit as ended:
            # A text as its code is printed by the interpreter.
            if ended.code is None or isinstance(ended.code, int):
                end.exit_code = ended.code or 0
            raise
        end.exit_code = 0


if __name__ == "__main__":
    main()
