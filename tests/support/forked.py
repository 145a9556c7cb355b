"""Has commands of tests forked by `tests.support.shared_fork_server`: one for all workers of a run.

It begins with the first that asks for it, and ends with the last process of pytest that did.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.eventually import eventually_blocking
from tests.support.shared_fork_server import LARGEST_REQUEST

__all__ = ["ROOT", "Forked", "can_be_forked", "prepare"]

ROOT: Final = Path(__file__).parents[2]
_RUN: Final = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
_OF_THE_START: Final = ("LD_", "MALLOC_", "PYTHON")
"""How names begin that count while an interpreter starts, and not later."""
_PUT_IN_PLACE: Final = ("PYTHONFAULTHANDLER", "PYTHONPATH")
_ADDRESS: Final = f"\0tests-{_RUN}-commands"
"""A name that is no file: it is gone with the server."""


def can_be_forked(argv: Sequence[object], environment: Mapping[str, str]) -> bool:
    """Whether it makes no difference: one of our commands, in an environment that begins alike.

    Under pytest only: soaks and benchmarks measure what a process takes that shares nothing.
    """
    return (
        hasattr(os, "pidfd_open")
        and "PYTEST_VERSION" in os.environ
        and tuple(argv[:2]) == (sys.executable, "-m")
        and argv[2] in ("gateway", "consumers")
        and environment.get("PYTHONPATH", str(ROOT)) == str(ROOT)
        and _start_of(environment) == _start_of(os.environ)
    )


def prepare() -> None:
    """Have the server import what commands need, without waiting for it."""
    _kept()


class Forked:
    """A process of a fork server: as much of `subprocess.Popen` as tests use."""

    def __init__(
        self,
        argv: Sequence[object],
        *,
        directory: Path | None,
        environment: Mapping[str, str],
        descriptors: tuple[int, int, int],
    ) -> None:
        _python, _option, module, *arguments = map(str, argv)
        _kept()
        self.returncode: int | None = None
        self._connection = _connected()
        request = (module, arguments, str(directory or Path.cwd()), dict(environment))
        socket.send_fds(self._connection, [json.dumps(request).encode()], descriptors)
        said, handles, _flags, _address = socket.recv_fds(self._connection, LARGEST_REQUEST, 1)
        assert said, "the fork server has ended"
        self.pid = int(said)
        (self._handle,) = handles

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code; raises TimeoutExpired if it does not end in time."""
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._connection, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            said = self._connection.recv(LARGEST_REQUEST)
            assert said, "the fork server has ended"
            self.returncode = int(said)
            self._connection.close()
            os.close(self._handle)
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send it, unless the process has ended."""
        if self.poll() is None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _start_of(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text
        for name, text in environment.items()
        if name.startswith(_OF_THE_START) and name not in _PUT_IN_PLACE
    }


@cache
def _kept() -> socket.socket:
    """A connection that keeps the server for as long as this process lives."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        try:
            listener.bind(_ADDRESS)
        except OSError:  # another worker was first
            connection = _connected()
        else:
            listener.listen(128)
            connection = _connected()
            _start_server(listener)
    atexit.register(connection.close)
    return connection


def _start_server(listener: socket.socket) -> None:
    """It goes on in the background; the process that was started ends at once."""
    subprocess.run(
        [sys.executable, "-m", "tests.support.shared_fork_server", str(listener.fileno())],
        cwd=ROOT,
        env={name: text for name, text in os.environ.items() if name not in _PUT_IN_PLACE},
        pass_fds=[listener.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _connected() -> socket.socket:
    """A new connection; whoever has the name may be about to listen."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    eventually_blocking(lambda: connection.connect_ex(_ADDRESS) == 0)
    return connection
