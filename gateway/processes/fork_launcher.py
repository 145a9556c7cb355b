"""Starts child processes by a fork server, where that can be; the supervisor's side of it."""

import asyncio
import os
import signal
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import Final, Self

from gateway.processes.child import Child, ChildProcess
from gateway.processes.exec_launcher import ExecLauncher
from gateway.processes.fork_messages import (
    LONGEST_BYTES,
    NOT_STARTED,
    REPORTS,
    Ended,
    Signal,
    Start,
    Started,
    encoded,
)
from gateway.processes.fork_server import ForkServer, send_signal

__all__ = ["ForkLauncher"]

_POLL_S: Final = 0.05


class ForkLauncher:
    """Launches `python -m MODULE …` by a fork server, and other children as programs.

    Should somebody kill the server, its children end with it, and everything is started as a
    program from then on. Used within one event loop, and within `with`.
    """

    def __init__(self, server: ForkServer) -> None:
        self._channel = server.channel
        self._otherwise = ExecLauncher()
        self._waiting: deque[asyncio.Future[_Forked | None]] = deque()
        self._running: dict[int, _Forked] = {}
        self._is_there = True

    def __enter__(self) -> Self:
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        self._lose()

    async def launch(self, child: Child) -> ChildProcess:
        """Start it, by the server or as a program."""
        order = _order(child)
        if self._is_there and order is not None:
            forked = await self._fork(order)
            if forked is not None:
                return forked
        return await self._otherwise.launch(child)

    def send(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a forked process that has not ended yet.

        The server does it, which knows whether the process id is still that of the process.
        """
        if self._is_there:
            with suppress(OSError):  # it has just been killed, and its children get a signal
                self._channel.send(encoded(Signal(pid, number)))
        else:
            with suppress(ProcessLookupError):
                send_signal(pid, number)

    async def _fork(self, order: bytes) -> "_Forked | None":
        """The process, once it is there; None if the server is not, or could not fork it."""
        reading, writing = os.pipe()
        output = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(reading, "rb", buffering=0)
        )
        forked = None
        try:
            started: asyncio.Future[_Forked | None] = loop.create_future()
            socket.send_fds(self._channel, [order], [writing])
            self._waiting.append(started)
            forked = await started
        except OSError:
            self._lose()
        finally:
            os.close(writing)
            if forked is None:
                transport.close()
        if forked is not None:
            forked.read(output, transport)
        return forked

    def _hear(self) -> None:
        """Take one report; the event loop calls again for the next."""
        try:
            packet = self._channel.recv(LONGEST_BYTES)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._lose()
            return
        match REPORTS.decode(packet):
            case Started(pid):
                self._started(pid)
            case Ended(pid, exit_code):
                self._running.pop(pid).ended.set_result(exit_code)

    def _started(self, pid: int) -> None:
        waiting = self._waiting.popleft()
        if pid == NOT_STARTED:
            if not waiting.done():
                waiting.set_result(None)
            return
        self._running[pid] = forked = _Forked(pid, self)
        if waiting.done():  # whoever wanted it has been cancelled
            forked.send(signal.SIGKILL)
        else:
            waiting.set_result(forked)

    def _lose(self) -> None:
        """Go on without the server."""
        if self._is_there:
            self._is_there = False
            asyncio.get_running_loop().remove_reader(self._channel)
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        for forked in self._running.values():
            forked.look()
        self._waiting.clear()
        self._running.clear()


class _Forked:
    """A process that the server waits for."""

    def __init__(self, pid: int, launcher: ForkLauncher) -> None:
        self.pid = pid
        self.output: asyncio.StreamReader | None = None
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._launcher = launcher
        self._transport: asyncio.ReadTransport | None = None

    def read(self, output: asyncio.StreamReader, transport: asyncio.ReadTransport) -> None:
        self.output, self._transport = output, transport

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)

    def look(self) -> None:
        """Find out by oneself, from now on, when it has ended."""
        exit_code = _exit_code_of(self.pid)
        if exit_code is None:
            asyncio.get_running_loop().call_later(_POLL_S, self.look)
        else:
            self.ended.set_result(exit_code)

    def send(self, number: signal.Signals) -> None:
        if not self.ended.done():
            self._launcher.send(self.pid, number)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _order(child: Child) -> bytes | None:
    """The order to fork a child; None if it is to be a program of its own."""
    python, option, *command = child.argv if len(child.argv) > 2 else ("", "")
    is_special = child.pass_fds or child.given() or child.shares_output
    if (python, option) != (sys.executable, "-m") or is_special:
        return None
    module, *arguments = command
    order = encoded(Start(child.name, module, tuple(arguments), dict(child.env)))
    return order if len(order) <= LONGEST_BYTES else None


def _exit_code_of(pid: int) -> int | None:
    """How an orphan ended, SIGTERM if nobody can tell; None while it runs."""
    try:  # it has become a child of this process, if this is the first one of a container
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return -signal.SIGTERM
        return None
    return os.waitstatus_to_exitcode(status) if ended else None
