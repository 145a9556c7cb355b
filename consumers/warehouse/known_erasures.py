"""Keeps what this machine knows of a destination apart from the destination itself.

If the tables are lost (a file removed, a schema dropped), this says that they were there, and which
erasures were in them, so that a load anew brings nothing back that was erased. It is a file in
`[warehouse] work_dir`, one for each destination, and holds what the table `erasures` holds.
"""

import os
from contextlib import suppress
from pathlib import Path
from zlib import crc32

import msgspec
import structlog

from consumers.warehouse.erased_rows import ErasureRow

__all__ = ["KnownErasures"]

log = structlog.get_logger()


class _File(msgspec.Struct):
    destination: str
    erasures: list[ErasureRow] = []


class KnownErasures:
    """Keeps the erasures of one destination, as they were seen last; `was_there` if it had tables.

    Several processes of a machine may have one each: they add, and take nothing away.
    """

    def __init__(self, directory: Path, destination: str) -> None:
        self._path = directory / f"known-{crc32(destination.encode()):08x}.json"
        self._destination = destination
        self._written: dict[str, ErasureRow] | None = None
        found = self._read()
        self.was_there = found is not None
        self.erasures = found or {}

    def note(self, erasures: dict[str, ErasureRow]) -> None:
        """Keep these, too; the tables are there. A file that cannot be written is only told of."""
        self.was_there = True
        self.erasures |= erasures
        if self._written == self.erasures:
            return
        self.erasures = (self._read() or {}) | self.erasures
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            beside.write_bytes(
                msgspec.json.encode(_File(self._destination, list(self.erasures.values())))
            )
            beside.replace(self._path)
        except OSError as error:
            log.warning("cannot keep what was erased", path=str(self._path), error=str(error))
            with suppress(OSError):
                beside.unlink()
        self._written = dict(self.erasures)

    def _read(self) -> dict[str, ErasureRow] | None:
        """What the file says, by id; None if there is none that can be read."""
        try:
            found = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.DecodeError):
            return None
        return {erasure.erasure_id: erasure for erasure in found.erasures}
