"""Takes a backup: the spool, then Redis, then the audit log, and at last the manifest.

In this order nothing is missing in the copies: what leaves the spool meanwhile is in Redis by then,
and recognised when it comes a second time; and the audit log has what its group has acknowledged.
"""

import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from gateway.backup.file_copies import copy_audit_log, copy_spool, is_empty
from gateway.backup.key_records import RecordWriter
from gateway.backup.manifest import (
    FORMAT,
    BackupPart,
    Manifest,
    check_files,
    described,
    new_file,
    program_version,
    write_manifest,
)
from gateway.backup.redis_capture import capture
from gateway.durable_directory import make_directory
from gateway.errors import OperatorError
from gateway.partitioning.partition_record import PartitionRecord, read_record
from gateway.settings import Settings

__all__ = ["KEYS_FILE", "back_up", "parts_here"]

KEYS_FILE: Final = "redis.keys.gz"


def parts_here(settings: Settings) -> tuple[BackupPart, ...]:
    """What this machine has: Redis from everywhere, and the directories that are here."""
    parts: list[BackupPart] = ["redis"]
    if Path(settings.spool.dir).is_dir():
        parts.append("spool")
    if Path(settings.audit.dir).is_dir():
        parts.append("audit")
    return tuple(parts)


async def back_up(
    redis: Redis, settings: Settings, parts: Sequence[BackupPart], directory: Path
) -> Manifest:
    """Take a backup of these parts into an empty directory, and read it once more to check it.

    Everything may go on meanwhile. Raises OperatorError, OSError and one of connections.FAILURES:
    then there is no manifest, and the directory is no backup.
    """
    if not is_empty(directory):
        raise OperatorError(f"{directory}: not empty; each backup has a directory of its own")
    make_directory(directory, mode=0o700)
    taken_at = datetime.now(UTC)
    files: list[Path] = []
    if "spool" in parts:
        files += copy_spool(Path(settings.spool.dir), directory / "spool")
    keys = entries = 0
    streams, record = settings.redis.streams, PartitionRecord()
    if "redis" in parts:
        record = await read_record(redis, streams)
        if record.counts:
            streams.adopt(record.counts)
        path = directory / KEYS_FILE
        with new_file(path) as file:
            writer = RecordWriter(file)
            await capture(redis, settings.redis.prefix, writer)
            writer.close()
        keys, entries = writer.keys, writer.entries
        files.append(path)
    if "audit" in parts:
        files += copy_audit_log(Path(settings.audit.dir), directory / "audit")
    manifest = Manifest(
        format=FORMAT,
        gateway=program_version(),
        taken_at=taken_at,
        host=socket.gethostname(),
        parts=tuple(parts),
        partitions=streams.partitions,
        is_on_record=bool(record.counts),
        keys=keys,
        entries=entries,
        files=described(directory, files),
    )
    write_manifest(directory, manifest)
    check_files(directory, manifest)
    return manifest
