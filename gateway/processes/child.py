"""Describes a child process, and what can be done with one that runs, however it was started."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from msgspec import Struct

__all__ = ["Child", "ChildProcess", "Launcher"]


class Child(Struct, frozen=True, kw_only=True):
    """A process to keep running.

    `env` is added to the environment that its launcher has, usually the supervisor's; `pass_fds`
    stay open in the child, which reads on its standard input what `given` returns at each start.
    What it says goes to the observer, unless it `shares_output` with the supervisor. `ready`
    returns when the child can be used, and raises OperatorError if it never will be. `fatal` says,
    for exit codes after which a restart cannot help, what the operator has to do; a child that once
    ran steadily is started again all the same.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = {}
    pass_fds: tuple[int, ...] = ()
    given: Callable[[], bytes] = bytes
    shares_output: bool = False
    ready: Callable[[], Awaitable[None]] | None = None
    fatal: Mapping[int, str] = {}


class ChildProcess(Protocol):
    """One process of a child, from its start to its end; it leads a session of its own."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def output(self) -> asyncio.StreamReader | None:
        """What it writes to standard output and error; None if it shares the supervisor's."""
        ...

    async def wait(self) -> int:
        """Wait for its end: its exit code, or the negated number of the signal that ended it."""
        ...

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, SIGKILL to its whole session; nothing happens if it has ended."""
        ...

    def close(self) -> None:
        """Read no more of its output, which what it has started may hold open for ever."""
        ...


class Launcher(Protocol):
    """Starts children, each tied to the supervisor: it ends when the supervisor is killed."""

    async def launch(self, child: Child) -> ChildProcess:
        """Start it. A program that is not there is a process that says so, and ends with 127."""
        ...
