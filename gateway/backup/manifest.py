"""Says what a backup consists of, with a checksum of each file; written last, so that a backup
without it is none.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Final, Literal

import msgspec
from msgspec import Struct

from gateway.durable_directory import fsync_directory
from gateway.errors import OperatorError

__all__ = [
    "FORMAT",
    "BackupFile",
    "BackupPart",
    "InvalidBackup",
    "Manifest",
    "check_files",
    "described",
    "new_file",
    "program_version",
    "read_manifest",
    "write_manifest",
]

BackupPart = Literal["redis", "spool", "audit"]
FORMAT: Final = 1
"""Of the backup; one of a higher format is refused, for what it means is not known here."""

_NAME: Final = "manifest.json"
_READ_BYTES: Final = 1 << 20


class InvalidBackup(OperatorError):
    """It is no backup, not whole, or of a later format."""


class BackupFile(Struct, frozen=True, kw_only=True):
    """A file of the backup, by its path in it."""

    path: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, kw_only=True):
    """What a backup holds, and of which installation.

    Of Redis, `keys` and `entries` say how many there are; `partitions` is into how many events were
    spread, which `is_on_record` among the keys, unless an older version has made the backup.
    `taken_at` is the clock of this machine.
    """

    format: int
    gateway: str
    taken_at: datetime
    host: str
    parts: tuple[BackupPart, ...]
    partitions: int
    keys: int
    entries: int
    files: tuple[BackupFile, ...]
    is_on_record: bool = False


class _Format(Struct):
    format: int


def program_version() -> str:
    """The version of this program."""
    return version("bitrix24-event-gateway")


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Make a backup of what is in the directory; durable when it returns. Raises OSError."""
    draft = directory / f"{_NAME}.draft"
    with new_file(draft) as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
    draft.rename(directory / _NAME)
    fsync_directory(directory)


def read_manifest(directory: Path) -> Manifest:
    """What the backup says of itself. Raises InvalidBackup."""
    try:
        raw = (directory / _NAME).read_bytes()
    except OSError as error:
        raise InvalidBackup(
            f"{directory}: no backup, or one that was not finished: {error.strerror or error}"
        ) from error
    try:
        found = msgspec.json.decode(raw, type=_Format).format
        if found > FORMAT:
            raise InvalidBackup(
                f"{directory}: the format of this backup is {found}, and this program knows "
                f"{FORMAT}: use the version that took it, or a later one"
            )
        return msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise InvalidBackup(f"{directory / _NAME}: {error}") from error


def check_files(directory: Path, manifest: Manifest) -> None:
    """Read all files of a backup; raises InvalidBackup with a line for each that is not as it was
    written, or is not of the backup.
    """
    faults = []
    for file in manifest.files:
        try:
            with (directory / file.path).open("rb") as opened:
                is_whole = _digest(opened) == (file.bytes, file.sha256)
            if not is_whole:
                faults.append(f"{directory / file.path}: changed or cut off since it was written")
        except OSError as error:
            faults.append(f"{directory / file.path}: {error.strerror or error}")
    named = {directory / file.path for file in manifest.files} | {directory / _NAME}
    faults += [
        f"{path}: is not of this backup"
        for path in sorted(directory.rglob("*"))
        if not path.is_dir() and path not in named
    ]
    if faults:
        raise InvalidBackup("\n".join(faults))


def described(directory: Path, paths: Sequence[Path]) -> tuple[BackupFile, ...]:
    """What the manifest says of these files. Raises OSError."""
    found = []
    for path in paths:
        with path.open("rb") as opened:
            size, digest = _digest(opened)
        found.append(BackupFile(path=str(path.relative_to(directory)), bytes=size, sha256=digest))
    return tuple(found)


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is not there yet, for its owner alone; on the disk at the end. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _digest(file: BinaryIO) -> tuple[int, str]:
    digest, size = sha256(), 0
    while block := file.read(_READ_BYTES):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()
