"""Starts processes for tests in one way: forked, where that makes no difference.

A command of ours that is forked (`tests.support.forked`) has no start of its own, which costs more
than most of what is tried. A test of the start itself asks for `is_executed`.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Protocol

from tests.support.eventually import eventually, eventually_blocking
from tests.support.forked import Forked, can_be_forked

__all__ = ["Process", "finished", "finished_blocking", "started"]

_ABORT_S: Final = 5


class Process(Protocol):
    """What tests use of a process, forked or executed."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int, /) -> None: ...

    def kill(self) -> None: ...


def started(
    argv: Sequence[str | Path],
    *,
    directory: Path | None,
    environment: Mapping[str, str],
    output: int,
    errors: int,
    is_executed: bool = False,
    pass_fds: Sequence[int] = (),
) -> Process:
    """A process with these descriptors, and nothing to read. Whoever asks for it ends it.

    With `pass_fds`, which it has by their numbers here, it is executed.
    """
    if not (is_executed or pass_fds) and can_be_forked(argv, environment):
        with Path(os.devnull).open("rb") as nothing:
            return Forked(
                argv,
                directory=directory,
                environment=environment,
                descriptors=(nothing.fileno(), output, errors),
            )
    return subprocess.Popen(
        argv,
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        pass_fds=pass_fds,
    )


async def finished(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    directory: Path | None = None,
    timeout_s: float = 60,
    is_executed: bool = False,
) -> subprocess.CompletedProcess[str]:
    """A command that has ended by itself, with what it printed.

    Raises AssertionError if it does not end in time, with where it stood.
    """
    with _begun(argv, environment, directory, is_executed=is_executed) as command:
        try:
            await eventually(command.has_ended, timeout_s=timeout_s)
        except AssertionError as late:
            raise AssertionError(command.where_it_stands()) from late
        return command.told()


def finished_blocking(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    directory: Path | None = None,
    timeout_s: float = 60,
    is_executed: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Do as `finished` does, for a test without an event loop."""
    with _begun(argv, environment, directory, is_executed=is_executed) as command:
        try:
            eventually_blocking(command.has_ended, timeout_s=timeout_s)
        except AssertionError as late:
            raise AssertionError(command.where_it_stands()) from late
        return command.told()


@contextmanager
def _begun(
    argv: Sequence[str | Path],
    environment: Mapping[str, str],
    directory: Path | None,
    *,
    is_executed: bool,
) -> Iterator["_Command"]:
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = started(
            argv,
            directory=directory,
            environment={**environment, "PYTHONFAULTHANDLER": "1"},
            output=output.fileno(),
            errors=errors.fileno(),
            is_executed=is_executed,
        )
        try:
            yield _Command(argv, process, output, errors)
        finally:
            process.kill()
            process.wait()


class _Command:
    """One command under way, and what it prints."""

    def __init__(
        self, argv: Sequence[str | Path], process: Process, output: IO[bytes], errors: IO[bytes]
    ) -> None:
        self._argv = argv
        self._process = process
        self._output = output
        self._errors = errors

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def where_it_stands(self) -> str:
        """What it says on SIGABRT, which ends it."""
        self._process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ABORT_S)
        return f"{self._argv} still runs: {_text(self._errors)}"

    def told(self) -> subprocess.CompletedProcess[str]:
        code = self._process.returncode
        assert code is not None
        return subprocess.CompletedProcess(
            self._argv, code, _text(self._output), _text(self._errors)
        )


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
