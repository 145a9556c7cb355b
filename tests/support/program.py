"""Programs that tests start, hurt and start again, and that end with the test, whatever it does."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from msgspec import json

from tests.support.eventually import eventually
from tests.support.forked import ROOT
from tests.support.starting import Process, started

__all__ = ["ROOT", "Program", "piped", "surroundings"]


def surroundings() -> dict[str, str]:
    """The environment, without settings of the gateway that a developer may have there.

    With the way to the tests' modules, which a program finds from any directory.
    """
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("GATEWAY_")}
    return inherited | {"PYTHONPATH": str(ROOT)}


class Program:
    """One program at a time, started within `with` only: when that is left, it has ended.

    What it prints is appended to `log_file`. `environment` comes on top of the surroundings.
    One whose start is tried `is_executed`, as is one that is given `pass_fds`; others may be
    forked, see `tests.support.starting`.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        log_file: Path,
        environment: Mapping[str, str],
        directory: Path | None = None,
        is_executed: bool = False,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.log_file = log_file
        self._argv = argv
        self._is_executed = is_executed
        self._pass_fds = pass_fds
        self._directory = directory
        self._environment = surroundings() | dict(environment)
        self._process: Process | None = None
        self._is_entered = False

    def __enter__(self) -> Self:
        self._is_entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        self._is_entered = False

    @property
    def log(self) -> str:
        """What it has printed."""
        return self.log_file.read_text() if self.log_file.exists() else ""

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of the log with this phrase; one that is cut off is none."""
        whole, _, _cut = self.log.rpartition("\n")
        lines = [json.decode(line) for line in whole.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    @property
    def pid(self) -> int:
        return self._running.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs, and before it is started."""
        return self._process.poll() if self._process is not None else None

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def is_frozen(self) -> bool:
        """Whether SIGSTOP has taken effect."""
        return bool(psutil.Process(self.pid).status() == psutil.STATUS_STOPPED)

    def launch(self, *, log: int | None = None) -> None:
        """Start it, without waiting; `log` is what it gets for standard error, if not its file."""
        assert self._is_entered, "a program is started within `with`, which ends it"
        assert not self.is_running
        with self.log_file.open("ab") as log_file:
            self._process = started(
                self._argv,
                directory=self._directory,
                environment=self._environment,
                output=log_file.fileno(),
                errors=log_file.fileno() if log is None else log,
                is_executed=self._is_executed,
                pass_fds=self._pass_fds,
            )

    def kill(self) -> None:
        """End it as the kernel would, without a warning. May be repeated."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, number: signal.Signals) -> None:
        self._running.send_signal(number)

    def freeze(self) -> None:
        """Stop it where it stands."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    def stop_blocking(self, *, timeout_s: float = 20) -> None:
        """Stop it as a supervisor does: killed, if it has not ended by then."""
        if self.is_running:
            self.thaw()
            self.send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._running.wait(timeout_s)
            self.kill()

    async def stop(self, *, timeout_s: float = 30) -> int:
        """Stop it as a supervisor does, frozen or not; its exit code, also if it has ended."""
        self.thaw()
        self.send(signal.SIGTERM)
        return await self.ended(timeout_s=timeout_s)

    async def ended(self, *, timeout_s: float = 30) -> int:
        """Wait until it has ended by itself; its exit code. What does not end in time is killed."""
        process = self._running
        try:
            await eventually(lambda: process.poll() is not None, timeout_s=timeout_s)
        except AssertionError as error:
            self.kill()
            raise AssertionError(f"has not ended:\n{self.log[-2000:]}") from error
        assert process.returncode is not None
        return process.returncode

    @property
    def _running(self) -> Process:
        assert self._process is not None, "it has not been started"
        return self._process


@contextmanager
def piped(argv: Sequence[str | Path], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is talked with by pipes: killed at the end, and its pipes closed."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen[bytes](argv, **pipes | options) as process:
        try:
            yield process
        finally:
            process.kill()
