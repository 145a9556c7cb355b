"""Remembers on a receiver's disk how many partitions there are, for a start without Redis.

One line beside the spool. Every worker writes it, each the same: whoever renames last wins.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import structlog

from gateway.partitioning.partition_record import counts_of, text_of

__all__ = ["FILE_NAME", "KnownCounts"]

log: Any = structlog.get_logger(__name__)

FILE_NAME: Final = "partitions.txt"


class KnownCounts:
    """Writes and reads the file in `directory`, for one prefix. Blocking, for a small file."""

    def __init__(self, directory: Path, *, prefix: str) -> None:
        self._path = directory / FILE_NAME
        self._prefix = prefix
        self._saved: tuple[int, ...] = ()

    def load(self) -> tuple[int, ...]:
        """What was saved last; nothing if there is none, or none that can be used."""
        try:
            prefix, _, counts = self._path.read_text("utf-8").strip().rpartition(" ")
            return counts_of(counts) if prefix == self._prefix else ()
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            log.warning("the remembered number of partitions cannot be read", error=str(error))
            return ()

    def save(self, counts: tuple[int, ...]) -> None:
        """Replace what was saved, if it is something else; a crash leaves the old or the new."""
        if counts == self._saved:
            return
        fresh = self._path.with_suffix(f".{os.getpid()}")
        try:
            fresh.write_text(f"{self._prefix} {text_of(counts)}\n", "utf-8")
            fresh.replace(self._path)
            self._saved = counts
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            log.warning("the number of partitions cannot be remembered", error=str(error))
