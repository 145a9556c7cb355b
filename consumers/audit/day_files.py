"""Names and reads the files of a chain: a directory for a partition, in it one file per UTC day.

* `events-0/2026-11-21.jsonl.gz`: closed and compressed
* `events-0/2026-11-22.jsonl`: the newest, which is written to
* `events-0/head`: how far the chain goes
* `events-0/lock`: held by the one writer
"""

import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from gateway.errors import OperatorError

__all__ = ["DayFile", "FileDamaged", "chains", "day_files", "open_lines", "tail"]

_NAME = re.compile(r"(?P<day>\d{4}-\d{2}-\d{2})\.jsonl(?P<gz>\.gz)?")
_CHAIN = re.compile(r".+-\d+")
_READ_BYTES = 1 << 20


class FileDamaged(OperatorError):
    """A file of the log cannot be read any more."""


class DayFile(Struct, frozen=True):
    """One day of a chain. `name` is that of the uncompressed file, compressed or not."""

    path: Path
    day: str

    @property
    def name(self) -> str:
        """What records call the file, however it is stored."""
        return f"{self.day}.jsonl"

    @property
    def is_compressed(self) -> bool:
        """Whether it was closed and compressed."""
        return self.path.suffix == ".gz"


def day_files(chain: Path) -> list[DayFile]:
    """The files of a chain, oldest first.

    While a file is replaced by its compressed form both are there; the plain one is given.
    """
    found: dict[str, DayFile] = {}
    for path in chain.iterdir():
        match = _NAME.fullmatch(path.name)
        if match and (match["day"] not in found or not match["gz"]):
            found[match["day"]] = DayFile(path, match["day"])
    return [found[day] for day in sorted(found)]


def chains(directory: Path) -> list[Path]:
    """The directories of the chains of a log, by name; empty if there is no log."""
    if not directory.is_dir():
        return []
    return sorted(
        path for path in directory.iterdir() if path.is_dir() and _CHAIN.fullmatch(path.name)
    )


@contextmanager
def open_lines(file: DayFile) -> Iterator[Iterator[bytes]]:
    """Open a file to be read line by line, compressed or not.

    A file that was compressed since it was listed is found in its new form. Reading raises
    FileDamaged where compressed data cannot be read.
    """
    compressed = file.path if file.is_compressed else file.path.with_name(file.path.name + ".gz")
    try:
        raw = file.path.open("rb", buffering=_READ_BYTES)
    except FileNotFoundError:
        if file.is_compressed:
            raise
        raw = compressed.open("rb", buffering=_READ_BYTES)
    with raw:
        yield _unpacked(raw, compressed) if raw.name == str(compressed) else raw


def _unpacked(raw: BinaryIO, path: Path) -> Iterator[bytes]:
    try:
        with gzip.GzipFile(fileobj=raw, mode="rb") as file:
            yield from io.BufferedReader(file, _READ_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileDamaged(f"{path}: its compressed data is damaged: {error}") from error


def tail(path: Path, *, end: int, size: int) -> tuple[list[bytes], bool]:
    """The whole lines in the last `size` bytes before `end`, and whether these are all lines."""
    start = max(0, end - size)
    with path.open("rb") as file:
        file.seek(start)
        lines = file.read(end - start).splitlines(keepends=True)
    return (lines, True) if start == 0 else (lines[1:], False)
