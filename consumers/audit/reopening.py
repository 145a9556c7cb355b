"""Finds out where the writer of a chain goes on, and what is wrong with what is there.

The head says which record was acknowledged last. Bytes behind that record were written by a
process that died before it acknowledged them, so they are cut off: their entries are delivered
again. A chain that does not reach its head, or a head that our key did not sign, is not repaired:
somebody has to look at it.
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from consumers.audit.chain_head import SignedHead, read_head
from consumers.audit.day_files import DayFile, day_files, tail
from consumers.audit.records import (
    GENESIS,
    CheckpointRecord,
    EventRecord,
    Head,
    InvalidRecord,
    decode,
    hash_in,
    signed_part,
)
from consumers.audit.signatures import is_signed_by
from gateway.durable_directory import fsync_directory
from gateway.errors import OperatorError

__all__ = ["UNSIGNED", "CutOff", "LogDamaged", "ReopenedChain", "find"]

UNSIGNED: Final = "unsigned"
"""Among the former keys: a log that was begun without a key is accepted."""

# About 30,000 events: all that a crash may deliver again, and all since the last checkpoint.
_TAIL_BYTES: Final = 16 << 20


class LogDamaged(OperatorError):
    """Acknowledged records are missing or changed, or the head is not ours; nothing was written."""

    def __init__(self, chain: Path, fault: str) -> None:
        super().__init__(
            f"{chain}: {fault}; nothing was written. `consumers audit verify {chain.parent}` says "
            "more. To go on with a new log, move this directory away and keep it"
        )


class CutOff(Struct, frozen=True):
    """Bytes behind the head that were cut off."""

    file: str
    size: int
    sha256: str


class ReopenedChain(Struct, frozen=True, kw_only=True):
    """Where a chain goes on. `leaves` are the hashes since the last checkpoint.

    `day` is empty for a new chain. `key` is the one that signed the head, empty if none did.
    `has_former` is that of the head.
    """

    prev: str = GENESIS
    seq: int = 0
    day: str = ""
    end: int = 0
    newest: str = "0-0"
    key: str = ""
    has_former: bool = True
    leaves: tuple[bytes, ...] = ()
    recent: tuple[str, ...] = ()
    cut: CutOff | None = None


def find(chain: Path, *, key: str, former_keys: tuple[str, ...] = ()) -> ReopenedChain:
    """Where to go on with `chain`, after cutting off what was never acknowledged.

    `key` is the public key of the writer, empty without one. Call it with the lock held.
    Raises LogDamaged, OSError.
    """
    files = day_files(chain)
    signed = read_head(chain)
    if signed is None:
        _forget_unbegun(chain, files)
        return ReopenedChain()
    head = signed.head
    _refuse_foreign(chain, signed, key=key, former_keys=former_keys)
    file = next((file for file in files if file.name == head.file), None)
    if file is None or file.is_compressed:
        raise LogDamaged(chain, f"{head.file}, which holds the last record, is missing")
    if file.path.stat().st_size < head.end:
        raise LogDamaged(chain, f"{head.file} ends before record {head.seq}, which is its last")
    leaves, recent = _read_tail(chain, file, head)
    return ReopenedChain(
        prev=head.prev,
        seq=head.seq,
        day=file.day,
        end=head.end,
        newest=head.newest,
        key=head.key,
        has_former=signed.has_former,
        leaves=leaves,
        recent=recent,
        cut=_cut(files, file, head.end),
    )


def _forget_unbegun(chain: Path, files: list[DayFile]) -> None:
    """Remove what a crash left of a chain that had no acknowledged record yet."""
    if not files:
        return
    only, size = files[0].path, files[0].path.stat().st_size
    if len(files) > 1 or files[0].is_compressed or len(tail(only, end=size, size=size)[0]) > 1:
        raise LogDamaged(chain, "the file `head` is missing or unreadable")
    only.unlink()
    fsync_directory(chain)


def _refuse_foreign(
    chain: Path, signed: SignedHead, *, key: str, former_keys: tuple[str, ...]
) -> None:
    head = signed.head
    if head.chain != chain.name:
        raise LogDamaged(chain, f"its head is that of {head.chain}")
    if not head.key:
        if key and UNSIGNED not in former_keys:
            raise LogDamaged(
                chain,
                "the log was written without a key so far (if that is right, add "
                f'"{UNSIGNED}" to [audit] former_keys)',
            )
        return
    if head.key != key and head.key not in former_keys:
        raise LogDamaged(
            chain,
            f"its head is signed by the key {head.key}, not by ours (if that was our key before, "
            "add it to [audit] former_keys)",
        )
    if not is_signed_by(head.key, signed_part(signed.line), head.signature):
        raise LogDamaged(chain, "the signature of its head is forged")


def _read_tail(chain: Path, file: DayFile, head: Head) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """The hashes since the last checkpoint and the latest entries, each record checked."""
    size = _TAIL_BYTES
    while True:
        lines, is_whole = tail(file.path, end=head.end, size=size)
        leaves: list[bytes] = []
        recent: list[str] = []
        has_checkpoint = False
        prev = None
        for line in lines:
            digest = hash_in(line)
            try:
                record = decode(line)
            except InvalidRecord:
                digest = None
            if digest is None or (prev is not None and record.prev != prev):
                raise LogDamaged(chain, f"one of the last records of {head.file} was changed")
            prev = digest
            leaves.append(bytes.fromhex(digest))
            if isinstance(record, CheckpointRecord):
                has_checkpoint = True
                leaves.clear()
            elif isinstance(record, EventRecord):
                recent.append(record.entry)
        if prev != head.prev:
            raise LogDamaged(chain, f"{head.file} does not hold record {head.seq} as acknowledged")
        if has_checkpoint or is_whole:
            return tuple(leaves), tuple(recent)
        size *= 2


def _cut(files: list[DayFile], last: DayFile, end: int) -> CutOff | None:
    """Cut off everything behind `end` of the file that holds the last acknowledged record.

    At most one younger file can be there, from a change of day that was not finished.
    """
    cut: CutOff | None = None
    for file in files[files.index(last) + 1 :]:
        content = file.path.read_bytes()
        if content:
            cut = CutOff(file.name, len(content), sha256(content).hexdigest())
        file.path.unlink()
    with last.path.open("r+b") as whole:
        whole.seek(end)
        content = whole.read()
        if content:
            cut = CutOff(last.name, len(content), sha256(content).hexdigest())
            whole.truncate(end)
            os.fsync(whole.fileno())
    fsync_directory(last.path.parent)
    return cut
