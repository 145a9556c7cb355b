"""Runs one process of a drill, which is killed and started again, and ends with the drill."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.background import owned
from gateway.ending import end
from gateway.processes.child import Child, ChildProcess, Launcher
from gateway.processes.supervisor import how_it_ended

__all__ = ["DrillProcess"]

_CHUNK_BYTES: Final = 1 << 14
_KEPT_BYTES: Final = 1 << 15
_GRACE_S: Final = 15.0
_LAST_LINES: Final = 4
_INFO: Final = '"level": "info"'


class DrillProcess:
    """One process at a time, called `name`; `launcher` ties it to this process."""

    def __init__(
        self, name: str, argv: Sequence[str], variables: Mapping[str, str], launcher: Launcher
    ) -> None:
        self.name = name
        self._argv = tuple(argv)
        self._variables = dict(variables)
        self._launcher = launcher
        self._process: ChildProcess | None = None
        self._running: asyncio.Task[int] | None = None
        self._said = b""

    @property
    def pid(self) -> int | None:
        """None before its first start."""
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._running is not None and not self._running.done()

    @property
    def last_words(self) -> list[str]:
        """The last lines that it has said, of all its lives, but for those of the level `info`."""
        lines = self._said.decode(errors="replace").splitlines()
        return [line for line in lines if _INFO not in line][-_LAST_LINES:]

    async def start(self, variables: Mapping[str, str] | None = None) -> None:
        """Start it, with other variables if some are given; without waiting."""
        if variables is not None:
            self._variables = dict(variables)
        child = Child(name=self.name, argv=self._argv, env=self._variables)
        self._process = await self._launcher.launch(child)
        self._running = owned(self._run(self._process), name=self.name)

    async def kill(self) -> None:
        """End it as the kernel would, without a warning. May be repeated."""
        await self._ended_by(signal.SIGKILL)

    async def stop(self) -> None:
        """Stop it as a supervisor does; killed if it does not end in time. May be repeated."""
        if not self.is_running or self._process is None or self._running is None:
            return
        self._process.send(signal.SIGTERM)
        await asyncio.wait([self._running], timeout=_GRACE_S)
        await self.kill()

    def how_it_ended(self) -> str | None:
        """As `exit code 2` or the signal's name; None while it runs, and before its first start."""
        if self._running is None or not self._running.done():
            return None
        return how_it_ended(self._running.result())

    async def _ended_by(self, number: signal.Signals) -> None:
        if self._process is None or self._running is None:
            return
        self._process.send(number)
        await asyncio.wait([self._running])

    async def _run(self, process: ChildProcess) -> int:
        """Read what it says until it has ended; its exit code."""
        reading = owned(self._read(process.output)) if process.output is not None else None
        code = await process.wait()
        if reading is not None:
            await asyncio.wait([reading], timeout=1.0)
            await end(reading)
            process.close()
        return code

    async def _read(self, output: asyncio.StreamReader) -> None:
        while chunk := await output.read(_CHUNK_BYTES):
            self._said = (self._said + chunk)[-_KEPT_BYTES:]
