"""Keeps the learnt portals on this machine's disk, so that a start while Redis is away knows them.

One small JSON file beside the spool, readable by its owner only; digests, never tokens. Every
worker process writes it, each the same: whoever renames last wins.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
from msgspec import Struct

from gateway.portals.registry import Reading

__all__ = ["FILE_NAME", "DiskCopy"]

log: Any = structlog.get_logger(__name__)

FILE_NAME: Final = "portals.json"


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    prefix: str
    """Of the installation in Redis: another one's portals are none of ours."""
    reading: Reading


class DiskCopy:
    """Writes and reads the file in `directory`. Blocking; the directory must be there."""

    def __init__(self, directory: Path, *, prefix: str) -> None:
        self._path = directory / FILE_NAME
        self._prefix = prefix

    def load(self) -> Reading | None:
        """What was saved last; None if there is nothing, or nothing that can be used."""
        try:
            file = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the snapshot of portals cannot be read", error=str(error))
            return None
        return file.reading if file.prefix == self._prefix else None

    def save(self, reading: Reading) -> None:
        """Replace what was saved; a crash leaves the old file or the new one."""
        fresh = self._path.with_suffix(f".{os.getpid()}")
        try:
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(_File(self._prefix, reading)))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            log.warning("the snapshot of portals cannot be written", error=str(error))
