"""Counts what becomes of accepted events, in a file that outlives the process that writes it.

A process counts in memory that is mapped from `ledger.<n>` in the spool's directory, beside the
spool and not in it. So a process that is killed loses no count, and a spool that vanishes leaves
behind how much was in it. The file is written by one process at a time, which holds its lock; the
next one that takes it counts on. A power failure may take the last seconds of counts with it.

What happens to the spool's file cannot be counted in the same instant, so a process notes first
what it is about to do. If it dies in between, whoever takes the file over finds out by the spool
whether it was done (`settle`).
"""

import fcntl
import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self

import structlog
from msgspec import Struct

__all__ = ["REFUSALS", "Ledger", "LedgerTotals", "ledger_totals"]

log: Any = structlog.get_logger(__name__)

REFUSALS: Final = ("queue_full", "spool_full", "spool_busy", "spool_broken", "internal")
"""Why an event that was accepted was not stored: the reasons of gateway.publishing.errors."""

_NAMES: Final = ("accepted", "streamed", "spooled", "drained", "unanswered", "spooling", "draining")
_ACCEPTED, _STREAMED, _SPOOLED, _DRAINED, _UNANSWERED, _SPOOLING, _DRAINING = range(len(_NAMES))
_REFUSED: Final = {reason: len(_NAMES) + number for number, reason in enumerate(REFUSALS)}
_COUNTS: Final = 16
# Four of them are not used yet.
_SIZE: Final = 8 * _COUNTS
_MOST: Final = 256
# Processes that write on one machine at a time; 64 workers at most, and their successors.


class LedgerTotals(Struct, frozen=True, kw_only=True):
    """The sums over the ledgers of a machine.

    `accepted` events were genuine and wanted; of them `refused` were answered 503, by reason,
    `streamed` and
    `spooled` were answered 200 by where they were stored, and `unanswered` are those whose process
    died before it had answered: each may be stored or not. The rest is under way. `drained` are
    those of the spool that went to their stream. `is_settled`: nothing is happening to the spool's
    file at this moment, so that these sums fit to it.
    """

    accepted: int = 0
    refused: dict[str, int] = {}
    streamed: int = 0
    spooled: int = 0
    drained: int = 0
    unanswered: int = 0
    is_settled: bool = True

    @property
    def under_way(self) -> int:
        """Events that were accepted and not answered yet."""
        answered = sum(self.refused.values()) + self.streamed + self.spooled + self.unanswered
        return max(0, self.accepted - answered)


class Ledger:
    """Counts for one process. Every method takes a fraction of a microsecond and does not fail."""

    def __init__(self, memory: mmap.mmap, descriptor: int | None) -> None:
        self._memory = memory
        self._counts = memoryview(memory).cast("Q")
        self._descriptor = descriptor

    @classmethod
    def in_memory(cls) -> Self:
        """Counts that end with this process."""
        return cls(mmap.mmap(-1, _SIZE), None)

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """The ledger in this file; None if another process has it. Raises OSError."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # In full, or a full disk would end the process when it counts.
            os.posix_fallocate(descriptor, 0, _SIZE)
            return cls(mmap.mmap(descriptor, _SIZE), descriptor)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise

    def begin_with(self, in_spool: int) -> None:
        """Take what is in the spool, which nobody has counted, for accepted and spooled."""
        self._counts[_ACCEPTED] = self._counts[_SPOOLED] = in_spool

    def accept(self) -> None:
        """An event was accepted."""
        self._counts[_ACCEPTED] += 1

    def refuse(self, events: int, reason: str) -> None:
        """So many could not be stored for one of REFUSALS, and are answered 503."""
        self._counts[_REFUSED.get(reason, _REFUSED["internal"])] += events

    def stream(self, events: int) -> None:
        """So many are on their stream, and are answered 200."""
        self._counts[_STREAMED] += events

    @contextmanager
    def spooling(self, events: int) -> Iterator[None]:
        """Around putting so many into the spool; they count if that does not raise."""
        with self._doing(_SPOOLING, _SPOOLED, events):
            yield

    @contextmanager
    def draining(self, events: int) -> Iterator[None]:
        """Around removing so many from the spool, which are on their stream by now."""
        with self._doing(_DRAINING, _DRAINED, events):
            yield

    def settle(self, in_spool: int | None, totals: LedgerTotals) -> None:
        """Find out what became of what the process before was doing when it died.

        To be called before anything is counted. `in_spool` is how many events the spool holds, None
        if it cannot be read; `totals` are those of the machine, this ledger's included. Where
        others change the spool at the same time, what is not certain counts as not done.
        """
        counts = self._counts
        expected = totals.spooled - totals.drained
        surplus = 0 if in_spool is None else in_spool - expected
        # More is in the spool than was counted: the batch was put there. Less: it was removed.
        if counts[_SPOOLING] and surplus >= counts[_SPOOLING]:
            counts[_SPOOLED] += counts[_SPOOLING]
        elif counts[_DRAINING] and -surplus >= counts[_DRAINING]:
            counts[_DRAINED] += counts[_DRAINING]
        counts[_SPOOLING] = counts[_DRAINING] = 0
        answered = counts[_STREAMED] + counts[_SPOOLED] + counts[_UNANSWERED]
        answered += sum(counts[place] for place in _REFUSED.values())
        counts[_UNANSWERED] += max(0, counts[_ACCEPTED] - answered)

    def close(self) -> None:
        """Let another process have it."""
        self._counts.release()
        self._memory.close()
        if self._descriptor is not None:
            os.close(self._descriptor)

    @contextmanager
    def _doing(self, what: int, done: int, events: int) -> Iterator[None]:
        # Added, since several lanes of one process do this at a time.
        counts = self._counts
        counts[what] += events
        try:
            yield
            counts[done] += events
        finally:
            counts[what] -= events


def ledger_totals(directory: Path) -> LedgerTotals:
    """The sums over all ledgers in a directory; raises OSError.

    What a process counts while they are read may be missing.
    """
    sums = [0] * _COUNTS
    for path in directory.glob("ledger.*"):
        raw = path.read_bytes()
        if len(raw) == _SIZE:
            sums = [sum(pair) for pair in zip(sums, memoryview(raw).cast("Q"), strict=True)]
    return LedgerTotals(
        accepted=sums[_ACCEPTED],
        refused={reason: sums[place] for reason, place in _REFUSED.items() if sums[place]},
        streamed=sums[_STREAMED],
        spooled=sums[_SPOOLED],
        drained=sums[_DRAINED],
        unanswered=sums[_UNANSWERED],
        is_settled=not sums[_SPOOLING] and not sums[_DRAINING],
    )
