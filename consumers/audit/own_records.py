"""Checks the log's own records one by one: who signed them, and whether they tell the truth.

Those are a few in a thousand: checkpoints, tombstones, and what a writer noted when it began.
"""

from collections.abc import Collection
from typing import TypeGuard

from msgspec import Struct

from consumers.audit import merkle
from consumers.audit.chain_gaps import Gaps
from consumers.audit.findings import Broken, ChainFault, ChainReport, What
from consumers.audit.records import (
    BegunRecord,
    CheckpointRecord,
    MissingRecord,
    NewKeyRecord,
    Record,
    RepairedRecord,
    TombstoneRecord,
    signed_part,
)
from consumers.audit.signatures import is_signed_by

__all__ = ["OwnRecord", "OwnRecords", "Walked", "is_own"]

OwnRecord = (
    BegunRecord | CheckpointRecord | MissingRecord | NewKeyRecord | RepairedRecord | TombstoneRecord
)


def is_own(record: Record | None) -> TypeGuard[OwnRecord]:
    """Whether a record is the log's own, and not an event's."""
    return isinstance(record, OwnRecord)


class Walked(Struct):
    """How far a check of a chain has come: `seq` is that of the last record that was right.

    `file` and `line` are where it looks now; `line` is 0 where there is none.
    """

    file: str = ""
    line: int = 0
    seq: int = 0

    def broken(self, what: What, detail: str, *, line: int | None = None) -> Broken:
        """The fault of what stands here."""
        number = line or self.line or None
        seq = self.seq + 1 if number else None
        return Broken(ChainFault(what=what, file=self.file, line=number, seq=seq, detail=detail))


class OwnRecords:
    """Checks what the log says of itself in one chain, and adds it to the report.

    With `keys`, nothing may be signed by another. `buried` are the last hashes of the files that
    tombstones tell of.
    """

    def __init__(
        self, chain: str, report: ChainReport, walked: Walked, keys: Collection[str], gaps: Gaps
    ) -> None:
        self._chain = chain
        self._report = report
        self._walked = walked
        self._keys = keys
        self._gaps = gaps
        self.buried: set[str] = set()

    def check(self, record: OwnRecord, line: bytes, leaves: list[bytes]) -> None:
        """Check a record that follows on. Raises Broken.

        `leaves` are the hashes since the last checkpoint; a checkpoint over them empties them.
        """
        if record.chain != self._chain:
            raise self._walked.broken("misplaced", f"the record is of the chain {record.chain}")
        self.check_signature(record, line)
        here = f"{self._walked.file}:{self._walked.line}"
        if isinstance(record, CheckpointRecord):
            self._report.checkpoints += 1
            self._report.signed_count += bool(record.key)
            expected = (self._walked.seq + 1 - len(leaves), merkle.root(leaves).hex())
            if (record.first, record.root) != expected:
                detail = "the checkpoint is not that of the records before it"
                raise self._walked.broken("forged", detail)
            leaves.clear()
        elif isinstance(record, TombstoneRecord):
            self.buried.update(removed.last_hash for removed in record.removed)
        elif isinstance(record, MissingRecord):
            self._gaps.open(record, file=self._walked.file, line=self._walked.line)
        elif isinstance(record, RepairedRecord):
            self._report.notes.append(
                f"{here}: {record.cut_bytes} bytes that were never acknowledged "
                f"were cut off {record.file} after a crash"
            )

    def check_signature(self, record: Record, line: bytes) -> None:
        """Check whose signature a record has, if it is to have one. Raises Broken."""
        if not record.key:
            if self._report.keys:
                detail = "records before it are signed, this one is not"
                raise self._walked.broken("unsigned", detail)
            return
        if self._keys and record.key not in self._keys:
            detail = f"signed by the key {record.key}, which was not given"
            raise self._walked.broken("forged", detail)
        if not is_signed_by(record.key, signed_part(line), record.signature):
            raise self._walked.broken("forged", "the signature does not fit")
        if record.key not in self._report.keys:
            self._report.keys.append(record.key)
