"""Notes down outside how far the log goes: only that tells an older copy of a chain from it.

An anchor names the last record of a chain by its hash. After each checkpoint the newest one goes
to a file of the operator's, which belongs on another disk, and to a command of theirs, which may
send it to another machine, or have it stamped by an authority (RFC 3161).
"""

import os
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from consumers.audit.findings import Anchor
from consumers.audit.metrics import ANCHORED_AT, ANCHORS_FAILED
from gateway.contract import timestamps
from gateway.errors import OperatorError

__all__ = ["Anchoring", "anchors_in"]

log = structlog.get_logger()

_COMMAND_TIMEOUT_S: Final = 30.0
_MAX_SAID: Final = 200


class AnchorsUnreadable(OperatorError):
    """A file of anchors is not there, or holds something else."""


class Anchoring:
    """Places anchors where the settings say; blocking, for the threads that write the log.

    A place that does not take an anchor is told of once, until it takes one; the next anchor
    vouches for all that the missed ones did.
    """

    def __init__(self, file: str, command: Sequence[str]) -> None:
        self._file = Path(file) if file else None
        self._command = tuple(command)
        self._placed: dict[str, Anchor] = {}
        self._is_failing = False

    def place(self, anchor: Anchor) -> None:
        """Place an anchor, if it is not the last one that was placed. Raises nothing."""
        if self._placed.get(anchor.chain) == anchor or not (self._file or self._command):
            return
        try:
            if self._file:
                _add_line(self._file, anchor)
            if self._command:
                _run((*self._command, str(anchor)))
        except (OSError, subprocess.SubprocessError) as error:
            ANCHORS_FAILED.inc()
            if not self._is_failing:
                log.error("audit log cannot be anchored", anchor=str(anchor), error=_said(error))
            self._is_failing = True
            return
        if self._is_failing:
            log.info("audit log is anchored again", anchor=str(anchor))
        self._is_failing = False
        self._placed[anchor.chain] = anchor
        ANCHORED_AT.labels(anchor.chain).set_to_current_time()


def anchors_in(path: Path) -> list[Anchor]:
    """The anchors in a file that `Anchoring` wrote: the last word of each line.

    Raises AnchorsUnreadable.
    """
    try:
        return [Anchor.of(line.split()[-1]) for line in path.read_text().splitlines() if line]
    except (OSError, ValueError, IndexError) as error:
        raise AnchorsUnreadable(f"{path}: not a file of anchors: {error}") from error


def _add_line(path: Path, anchor: Anchor) -> None:
    """Add `<time> <anchor>` to the file, durably."""
    now = timestamps.seconds_of(datetime.now(UTC))
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
    with os.fdopen(descriptor, "ab") as file:
        file.write(f"{now} {anchor}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _run(command: Sequence[str]) -> None:
    subprocess.run(  # noqa: S603 - the operator's own command, with a name and two numbers behind it
        command,
        check=True,
        timeout=_COMMAND_TIMEOUT_S,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _said(error: OSError | subprocess.SubprocessError) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        words = (error.stderr or b"").decode(errors="replace").split()
        return f"exit code {error.returncode}: {' '.join(words)}"[:_MAX_SAID]
    return str(error)
