"""Puts a backup back: looks first whether it is whole and fits, and whether nothing is there."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from msgspec import Struct
from redis.asyncio import Redis

from gateway.backup.backing_up import KEYS_FILE
from gateway.backup.file_copies import is_empty, put_into
from gateway.backup.key_records import KeyRecord, read_records
from gateway.backup.manifest import BackupPart, Manifest, check_files, read_manifest
from gateway.backup.redis_capture import key_names
from gateway.backup.redis_restoring import put_back, remove_all
from gateway.heartbeats.process_list import processes
from gateway.settings import Settings
from gateway.vault.encryption import Vault
from gateway.vault.resealing import sealed_in

__all__ = ["Plan", "Restored", "plan", "restore"]

_MOST_NAMED: Final = 5


class Plan(Struct, frozen=True, kw_only=True):
    """What would be put back, and what there is to say against it.

    `faults` forbid it; `present_keys` is how many keys Redis has under the prefix, which would be
    removed; `unreadable` counts by kind what is sealed by none of [vault] keys.
    """

    taken_at: datetime
    gateway: str
    parts: tuple[BackupPart, ...]
    keys: int
    entries: int
    present_keys: int
    unreadable: Mapping[str, int]
    faults: tuple[str, ...]


class Restored(Struct, frozen=True, kw_only=True):
    """How much was put back."""

    keys: int
    entries: int
    files: int


async def plan(
    redis: Redis, settings: Settings, directory: Path, parts: Sequence[BackupPart] = ()
) -> Plan:
    """Look at a backup and at where it is to go; without `parts`, all that it has. Changes nothing.

    Raises InvalidBackup for one that is not whole, and one of connections.FAILURES.
    """
    manifest = read_manifest(directory)
    check_files(directory, manifest)
    wanted = tuple(parts) or manifest.parts
    faults = [f"{directory}: has no part {part}" for part in wanted if part not in manifest.parts]
    faults += _full_directories(settings, wanted)
    present, unreadable = 0, Counter[str]()
    if "redis" in wanted and "redis" in manifest.parts:
        faults += _other_partitions(settings, manifest)
        faults += await _at_work(redis, settings)
        present = len(await key_names(redis, settings.redis.prefix))
        unreadable = _unreadable(directory, Vault.of(settings.vault))
    return Plan(
        taken_at=manifest.taken_at,
        gateway=manifest.gateway,
        parts=wanted,
        keys=manifest.keys,
        entries=manifest.entries,
        present_keys=present,
        unreadable=dict(unreadable),
        faults=tuple(faults),
    )


async def restore(
    redis: Redis, settings: Settings, directory: Path, planned: Plan, *, now_ms: int
) -> Restored:
    """Put back what was planned: Redis first, since nothing may run before all of it is there.

    What Redis has under the prefix is removed. Raises OperatorError, OSError and one of
    connections.FAILURES: then a part of it is there, and it is to be done once more.
    """
    keys = files = 0
    if "redis" in planned.parts:
        prefix = settings.redis.prefix
        await remove_all(redis, prefix)
        records = read_records(directory / KEYS_FILE)
        keys = await put_back(redis, prefix, records, now_ms=now_ms)
    for part, target in _directories(settings, planned.parts):
        files += put_into(target, directory / part)
    entries = planned.entries if "redis" in planned.parts else 0
    return Restored(keys=keys, entries=entries, files=files)


def _directories(settings: Settings, parts: Sequence[BackupPart]) -> Iterator[tuple[str, Path]]:
    if "spool" in parts:
        yield "spool", Path(settings.spool.dir)
    if "audit" in parts:
        yield "audit", Path(settings.audit.dir)


def _full_directories(settings: Settings, parts: Sequence[BackupPart]) -> list[str]:
    return [
        f"[{part}] dir {target}: not empty; move away what is there, or leave the part out: "
        "what a machine still has is newer than a backup"
        for part, target in _directories(settings, parts)
        if not is_empty(target)
    ]


def _other_partitions(settings: Settings, manifest: Manifest) -> list[str]:
    have = settings.redis.partitions
    if have == manifest.partitions or manifest.is_on_record:
        return []
    told = f"[redis] partitions is {have}, and in the backup {manifest.partitions}"
    return [f"{told}: subjects would be looked for on other partitions"]


async def _at_work(redis: Redis, settings: Settings) -> list[str]:
    """Processes that would read or write what is put back half."""
    found = [
        one for one in await processes(redis, prefix=settings.redis.prefix) if not one.is_silent
    ]
    if not found:
        return []
    names = [one.id for one in found[:_MOST_NAMED]]
    more = f" and {len(found) - len(names)} more" if len(found) > len(names) else ""
    return [f"processes are at work: {', '.join(names)}{more}; stop all of them first"]


def _unreadable(directory: Path, vault: Vault | None) -> Counter[str]:
    """What no key opens, by kind."""
    count: Counter[str] = Counter()
    for record in read_records(directory / KEYS_FILE):
        if not isinstance(record, KeyRecord):
            continue
        kind, sealed = sealed_in(record.name, record.kind, record.values)
        if sealed is not None and (vault is None or vault.key_of(sealed) is None):
            count[kind] += 1
    return count
