"""Forks processes that share what they have imported: a process of its own, with one thread.

Children forked from it have its modules already, in pages that they share until one of them writes
there. So they start in a fraction of the time, and take what they change of memory alone. It is
forked itself before its supervisor has an event loop or a thread, because what other threads hold
at a fork is held in the child for ever: https://docs.python.org/3/library/os.html#os.fork. It does
nothing but fork, report and pass signals on (docs/decisions/0011-forking-parent.md).
"""

import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Final, NoReturn

from msgspec import Struct

from gateway.processes import tether
from gateway.processes.fork_messages import (
    LONGEST_BYTES,
    NOT_STARTED,
    ORDERS,
    Ended,
    Report,
    Signal,
    Start,
    Started,
    encoded,
)
from gateway.processes.forked_process import become

__all__ = ["ForkServer", "forked_server", "send_signal"]

_CHUNK_BYTES: Final = 4096


class ForkServer(Struct, frozen=True):
    """A fork server that runs: its process id, and this process' end of the way to it."""

    pid: int
    channel: socket.socket


@contextmanager
def forked_server(shared: Iterable[str]) -> Iterator[ForkServer | None]:
    """A server that has imported these modules, as this process has then; it ends with the context.

    In a process with one thread only. Modules that are not installed are left out: who needs one
    says so. There is none but on Linux, where the kernel ends children with their parent. This
    returns in no forked process: those end by SystemExit, as programs do.
    """
    if sys.platform != "linux":
        yield None
        return
    # What is imported lives as long as the processes. Looked at by the collector, its pages would
    # be written to and shared no more: https://docs.python.org/3/library/gc.html#gc.freeze
    gc.disable()
    for name in shared:
        with suppress(ModuleNotFoundError):
            import_module(name)
    gc.freeze()
    server = _fork_server()
    gc.enable()
    try:
        yield server
    finally:
        server.channel.close()
        os.waitpid(server.pid, 0)


def _fork_server() -> ForkServer:
    supervisor = os.getpid()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()  # else each forked process would write once more what waits here
    pid = os.fork()
    if pid == 0:
        ours.close()
        os.setsid()  # Ctrl-C in a terminal is for the supervisor
        tether.tie(supervisor)
        _Serving(theirs).run()
    theirs.close()
    return ForkServer(pid, ours)


class _Serving:
    """The loop of the server's process."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._running: set[int] = set()
        self._woken, self._waker = os.pipe()
        os.set_blocking(self._woken, False)
        os.set_blocking(self._waker, False)
        self._selector = selectors.DefaultSelector()

    def run(self) -> NoReturn:
        """Carry orders out until the supervisor is no more."""
        signal.set_wakeup_fd(self._waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._channel, selectors.EVENT_READ, self._obey)
        self._selector.register(self._woken, selectors.EVENT_READ, self._reap)
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _obey(self) -> None:
        packet, descriptors, _, _ = socket.recv_fds(self._channel, LONGEST_BYTES, 1)
        if not packet:
            os._exit(0)  # nothing is left to tidy up, and the kernel tells the children
        match ORDERS.decode(packet):
            case Start() as start:
                self._start(start, descriptors[0])
            case Signal(pid, number) if pid in self._running:
                send_signal(pid, number)

    def _start(self, start: Start, output: int) -> None:
        server = os.getpid()
        try:
            pid = os.fork()
        except OSError:  # too many processes, or too little memory; those that run go on
            pid = NOT_STARTED
        if pid == 0:
            self._let_go()
            become(start, output=output, parent=server)
        os.close(output)
        if pid != NOT_STARTED:
            self._running.add(pid)
        self._tell(Started(pid))

    def _let_go(self) -> None:
        """Leave behind, in a forked process, what only the server has a use for."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._selector.close()
        self._channel.close()
        os.close(self._woken)
        os.close(self._waker)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._woken, _CHUNK_BYTES)
        for pid in tuple(self._running):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                self._running.discard(pid)
                self._tell(Ended(pid, os.waitstatus_to_exitcode(status)))

    def _tell(self, report: Report) -> None:
        with suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it has ended: the next order is none
            self._channel.send(encoded(report))


def send_signal(pid: int, number: int) -> None:
    """Send a signal to a process that leads its session, SIGKILL to all of it."""
    if number == signal.SIGKILL:
        with suppress(ProcessLookupError):  # it may not lead its session yet
            os.killpg(pid, number)
            return
    os.kill(pid, number)
