"""Starts child processes in the ordinary way, as programs of their own."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from gateway.processes import tether
from gateway.processes.child import Child

__all__ = ["ExecLauncher"]


class ExecLauncher:
    """Launches any child, by way of gateway.processes.tether.

    What a child `inherits` beneath its own environment is this process', if nothing else is said.
    """

    def __init__(self, *, inherits: Mapping[str, str] | None = None) -> None:
        self._inherits = inherits

    async def launch(self, child: Child) -> "_Executed":
        """Start it, and give it on its standard input what it is given."""
        given = child.given()
        output = None if child.shares_output else asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", str(Path(tether.__file__)), str(os.getpid())),
            *child.argv,
            stdin=asyncio.subprocess.PIPE if given else asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=asyncio.subprocess.STDOUT if output else None,
            env={**(os.environ if self._inherits is None else self._inherits), **child.env},
            pass_fds=child.pass_fds,
            start_new_session=True,
        )
        if process.stdin is not None:
            process.stdin.write(given)
            process.stdin.close()
        return _Executed(process)


class _Executed:
    """A process that the event loop waits for."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> asyncio.StreamReader | None:
        return self._process.stdout

    async def wait(self) -> int:
        return await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            if number == signal.SIGKILL:
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)

    def close(self) -> None:
        """The event loop closes its end of the output with the process."""
