"""Compresses closed files once, and removes those that are older than they have to be kept.

Removing is recorded first, in a signed tombstone that holds the last hash of each removed file. So
the chain still begins somewhere that is vouched for, and no other file can be taken away with it.
"""

import gzip
import os
import shutil
from datetime import date, timedelta
from pathlib import Path

import structlog

from consumers.audit.chain import Chain
from consumers.audit.day_files import DayFile, FileDamaged, day_files, open_lines
from consumers.audit.records import InvalidRecord, RemovedFile, decode
from gateway.durable_directory import fsync_directory

__all__ = ["compress_closed", "expired", "remove_expired"]

log = structlog.get_logger()

_COPY_BYTES = 1 << 20


def compress_closed(chain: Path, *, newest_day: str) -> int:
    """Compress the files of a chain that are older than its newest; return how many these were.

    Safe to repeat after a crash at any point. Raises OSError.
    """
    closed = [file for file in day_files(chain) if file.day < newest_day and not file.is_compressed]
    for file in closed:
        target = file.path.with_name(f"{file.name}.gz")
        if not target.exists():
            _compress(file.path, target)
        file.path.unlink()
        fsync_directory(chain)
    return len(closed)


def expired(files: list[DayFile], *, today: date, kept_days: int) -> list[DayFile]:
    """The files older than `kept_days` full days; never the newest. 0 keeps all."""
    if not kept_days:
        return []
    first_kept = (today - timedelta(days=kept_days)).isoformat()
    return [file for file in files[:-1] if file.day < first_kept]


def remove_expired(chain: Chain, *, today: date, kept_days: int) -> int:
    """Remove the expired files of a chain, after a tombstone; return how many these were.

    Raises CannotWrite, LogDamaged, FileDamaged, OSError.
    """
    files = expired(day_files(chain.directory), today=today, kept_days=kept_days)
    if files:
        chain.bury([_last_of(file) for file in files], kept_days=kept_days)
        for file in files:  # oldest first: after a crash in between, the rest still joins on
            file.path.unlink()
        fsync_directory(chain.directory)
        log.info("expired files removed", chain=chain.directory.name, files=len(files))
    return len(files)


def _compress(source: Path, target: Path) -> None:
    part = target.with_suffix(".part")
    try:
        with source.open("rb") as plain, part.open("wb") as raw:
            with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=raw) as packed:
                shutil.copyfileobj(plain, packed, _COPY_BYTES)
            shutil.copymode(source, part)
            raw.flush()
            os.fsync(raw.fileno())
        part.rename(target)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    fsync_directory(target.parent)


def _last_of(file: DayFile) -> RemovedFile:
    last = b""
    with open_lines(file) as lines:
        for line in lines:
            last = line
    try:
        record = decode(last)
    except InvalidRecord as error:
        raise FileDamaged(f"{file.path}: its last record is damaged: {error}") from error
    return RemovedFile(file=file.name, last_seq=record.seq, last_hash=record.hash)
