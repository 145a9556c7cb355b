"""Keeps child processes running: starts them in order, restarts those that die, stops them all.

Each child has a session of its own, so that Ctrl-C in a terminal reaches the supervisor alone,
which then stops the children in order. A supervisor that dies takes its children with it
(gateway.processes.tether). It knows nothing about what the children do, or how they are started.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final, Protocol

from gateway.background import owned
from gateway.backoff import Backoff
from gateway.errors import OperatorError
from gateway.hangups import stop_signals
from gateway.processes.child import Child, ChildProcess, Launcher
from gateway.processes.exec_launcher import ExecLauncher

__all__ = ["ChildFailed", "Observer", "Supervisor", "how_it_ended"]

_BACKOFF: Final = Backoff(first_s=0.5, limit_s=30.0, jitter=0.0)
"""After so many quick deaths in a row."""
_STEADY_S: Final = 10.0
_LAST_WORDS_S: Final = 1.0
_CHUNK_BYTES: Final = 1 << 16
_LONGEST_LINE_BYTES: Final = 1 << 20


class ChildFailed(OperatorError):
    """A child ended with one of its fatal exit codes."""


class Observer(Protocol):
    """Who is told what happens; called in the supervisor's event loop, in order."""

    def started(self, name: str, pid: int) -> None:
        """A child has been started, for the first time or again."""

    def said(self, name: str, line: str) -> None:
        """A child wrote a line to its standard output or error."""

    def died(self, name: str, exit_code: int, restart_in_s: float) -> None:
        """A child ended by itself, and is about to be started again."""

    def ready(self) -> None:
        """All children have been started, and those that tell are ready."""

    def stopping(self) -> None:
        """The children are about to be stopped."""


class Supervisor:
    """Runs children in tiers: a tier starts when the one before it is ready, and stops before it.

    Children of one tier start and stop together. `launcher` starts them. `farewell` is
    awaited before the first is stopped; it must end by itself, and raise nothing. `on_hangup` is
    called at each SIGHUP, which without it asks for a stop. Run it in the main thread.
    """

    def __init__(
        self,
        tiers: Sequence[Sequence[Child]],
        observer: Observer,
        *,
        grace_s: float = 10.0,
        farewell: Callable[[], Awaitable[None]] | None = None,
        launcher: Launcher | None = None,
        on_hangup: Callable[[], None] | None = None,
    ) -> None:
        self._on_hangup = on_hangup
        self._launcher = launcher or ExecLauncher()
        self._observer = observer
        self._farewell = farewell
        self._grace_s = grace_s
        self._tiers = tiers

    async def run(self) -> None:
        """Run until SIGINT or SIGTERM, and return when all children have ended.

        A child gets SIGTERM, and SIGKILL after `grace_s`, or at once on a second signal. Raises
        after stopping all: ChildFailed, or what a child's `ready` or the observer raised. Safe to
        cancel: the children are stopped first.
        """
        told = _Told(self._observer)
        tiers = [[_Kept(child, told, self._launcher) for child in tier] for tier in self._tiers]
        started: list[asyncio.Task[None]] = []
        with _signals(self._on_hangup) as signals:
            signalled = owned(signals.get())
            try:
                for tier in tiers:
                    for kept in tier:
                        kept.task = owned(kept.keep())
                        started.append(kept.task)
                    ready = owned(_all_ready(tier))
                    try:
                        await _first_of(signalled, told.failure, ready, *started)
                    finally:
                        ready.cancel()
                    if signalled.done():
                        return
                told(Observer.ready)
                await _first_of(signalled, told.failure, *started)
            finally:
                signalled.cancel()
                told(Observer.stopping)
                hurry = owned(_hurry(signals, tiers))
                if self._farewell is not None:
                    await self._farewell()
                for tier in reversed(tiers):
                    await _stop(tier, self._grace_s)
                hurry.cancel()


class _Told:
    """Tells the observer; what it raises ends the run, not the task that had something to tell."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def __call__(self, what: Callable[..., None], *arguments: object) -> None:
        try:
            getattr(self._observer, what.__name__)(*arguments)
        except Exception as error:  # noqa: BLE001 - raised again by Supervisor.run
            if not self.failure.done():
                self.failure.set_exception(error)


class _Kept:
    """One child and, as long as it is to run, its process."""

    task: asyncio.Task[None] | None = None

    def __init__(self, child: Child, told: _Told, launcher: Launcher) -> None:
        self.child = child
        self._told = told
        self._launcher = launcher
        self._stopping = asyncio.Event()
        self._killing: asyncio.TimerHandle | None = None
        self._process: ChildProcess | None = None

    async def keep(self) -> None:
        """Start it, and again whenever it dies; returns after `stop`, raises ChildFailed."""
        deaths = 0
        was_steady = False
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            is_steady = time.monotonic() - began >= _STEADY_S
            was_steady = was_steady or is_steady
            if code in self.child.fatal and not was_steady:
                raise ChildFailed(
                    f"{self.child.name} ended with {how_it_ended(code)}: {self.child.fatal[code]}"
                )
            deaths = 1 if is_steady else deaths + 1
            delay_s = _BACKOFF.delay_s(deaths)
            self._told(Observer.died, self.child.name, code, delay_s)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_s)

    def stop(self, grace_s: float) -> None:
        """Ask it to end, and kill it and all that it started after `grace_s`; `keep` returns."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._send(signal.SIGTERM)
        if self._killing is not None:
            self._killing.cancel()
        self._killing = asyncio.get_running_loop().call_later(grace_s, self._send, signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        """SIGTERM is for the child, which stops its own; SIGKILL for its whole session."""
        if self._process is not None:
            self._process.send(number)

    async def _run_once(self) -> int:
        self._process = process = await self._launcher.launch(self.child)
        self._told(Observer.started, self.child.name, process.pid)
        if self._stopping.is_set():  # told to while the process was being made: it did nothing yet
            self._send(signal.SIGKILL)
        reading = owned(self._read(process.output)) if process.output else None
        code = await process.wait()
        if reading is not None:
            # What the child started may hold the pipe open for ever.
            await asyncio.wait([reading], timeout=_LAST_WORDS_S)
            reading.cancel()
            process.close()
        if self._killing is not None:
            self._killing.cancel()
        return code

    async def _read(self, output: asyncio.StreamReader) -> None:
        async for line in _lines(output):
            self._told(Observer.said, self.child.name, line)


def how_it_ended(exit_code: int) -> str:
    """For people: `exit code 1`, or the signal's name."""
    return f"exit code {exit_code}" if exit_code >= 0 else signal.Signals(-exit_code).name


async def _all_ready(tier: Sequence[_Kept]) -> None:
    await asyncio.gather(*(kept.child.ready() for kept in tier if kept.child.ready is not None))


async def _first_of(*futures: asyncio.Future[Any]) -> None:
    """Wait until one ends, and raise what it raised."""
    done, _ = await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
    for future in done:
        future.result()


async def _stop(tier: Sequence[_Kept], grace_s: float) -> None:
    for kept in tier:
        kept.stop(grace_s)
    await asyncio.gather(
        *(kept.task for kept in tier if kept.task is not None), return_exceptions=True
    )


async def _hurry(signals: asyncio.Queue[int], tiers: Sequence[Sequence[_Kept]]) -> None:
    await signals.get()
    for tier in tiers:
        for kept in tier:
            kept.stop(0)


async def _lines(output: asyncio.StreamReader) -> AsyncIterator[str]:
    """The lines of an output; one that is too long comes in pieces."""
    rest = b""
    while chunk := await output.read(_CHUNK_BYTES):
        *whole, rest = (rest + chunk).split(b"\n")
        if len(rest) > _LONGEST_LINE_BYTES:
            whole.append(rest)
            rest = b""
        for line in whole:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")


@contextmanager
def _signals(on_hangup: Callable[[], None] | None) -> Iterator[asyncio.Queue[int]]:
    """The signals that ask for a stop, as they come in; a SIGHUP ignored by nohup stays ignored."""
    loop = asyncio.get_running_loop()
    received: asyncio.Queue[int] = asyncio.Queue()
    numbers = stop_signals()
    for number in numbers:
        if number == signal.SIGHUP and on_hangup is not None:
            loop.add_signal_handler(number, on_hangup)
        else:
            loop.add_signal_handler(number, received.put_nowait, number)
    try:
        yield received
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
