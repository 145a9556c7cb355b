"""Proves to third parties that one record is in the log, without showing them any other.

A proof holds the record, the checkpoint that covers it, and the hashes on the way from the one to
the root in the other. It is checked with SHA-256 and Ed25519 alone; docs/audit.md says how.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BufferedReader
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from consumers.audit import merkle
from consumers.audit.day_files import DayFile, day_files, open_lines
from consumers.audit.line_search import first_line, lines_from
from consumers.audit.merkle import Step
from consumers.audit.record_search import Hit
from consumers.audit.records import (
    HASH_END_BYTES,
    CheckpointRecord,
    EventRecord,
    InvalidRecord,
    decode,
    hash_in,
    signed_part,
)
from consumers.audit.signatures import is_signed_by
from gateway.errors import GatewayError

__all__ = ["InvalidProof", "NotProvable", "Proof", "check", "prove", "read"]

_CHECKPOINT: Final = b'{"kind":"checkpoint",'
_CHECKED_TOGETHER: Final = 1100
"""Records that are looked through for the last checkpoint: the usual [audit] checkpoint_every."""


class NotProvable(GatewayError):
    """There is no signed checkpoint over the record, or none yet."""


class InvalidProof(ValueError):
    """The proof proves nothing; the text says why."""


class Proof(Struct, frozen=True, kw_only=True, tag_field="format", tag="audit-proof/1"):
    """What a third party needs. `record` and `checkpoint` are lines of the log, byte by byte."""

    record: str
    path: tuple[Step, ...]
    checkpoint: str
    public_key: str


def prove(directory: Path, hit: Hit) -> Proof:
    """The proof of a record that a search found. Raises NotProvable."""
    file = next(file for file in day_files(directory / hit.chain) if file.name == hit.file)
    leaves: list[bytes] = []
    index: int | None = None
    with _lines_about(file, hit) as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            if not line.startswith(_CHECKPOINT):
                if line[:-1] == hit.line:
                    index = len(leaves)
                leaves.append(_leaf(line))
            elif index is None:
                leaves.clear()
            else:
                return _proof(hit, merkle.path(leaves, index), line)
    raise NotProvable("no checkpoint covers the record yet; [audit] checkpoint_every_s says when")


def _leaf(line: bytes) -> bytes:
    """The hash in a line, which stands for the line: `check` recomputes those that matter.

    A damaged line gets one that fits nothing.
    """
    try:
        return bytes.fromhex(line[-67:-3].decode())
    except ValueError:
        return bytes(32)


@contextmanager
def _lines_about(file: DayFile, hit: Hit) -> Iterator[Iterator[bytes]]:
    """The lines of a file from the last checkpoint before a record on, or from an earlier line."""
    with open_lines(file) as lines:
        if isinstance(lines, BufferedReader):  # not compressed
            try:
                _go_before(lines, hit.record.seq)
            except InvalidRecord:  # damaged somewhere
                lines.seek(0)
        yield lines


def _go_before(file: BufferedReader, seq: int) -> None:
    """Leave the file at a line from which on all records up to one have the same checkpoint."""
    back = _CHECKED_TOGETHER
    while back < seq:
        earliest = seq - back
        begin = first_line(file, lambda line: decode(line).seq < earliest)  # noqa: B023 - used at once
        if not begin:
            break
        between = lines_from(file, begin, first_line(file, lambda line: decode(line).seq < seq))
        if any(line.startswith(_CHECKPOINT) for line in between):
            file.seek(begin)
            return
        back *= 2
    file.seek(0)


def _proof(hit: Hit, path: tuple[Step, ...], line: bytes) -> Proof:
    checkpoint = decode(line)
    if not checkpoint.key:
        raise NotProvable("the checkpoint over the record is not signed: [audit] signing_key")
    proof = Proof(
        record=hit.line.decode(),
        path=path,
        checkpoint=line[:-1].decode(),
        public_key=checkpoint.key,
    )
    try:
        check(proof)
    except InvalidProof as error:
        raise NotProvable(f"the log is damaged here: {error}") from error
    return proof


def read(text: bytes) -> Proof:
    """Read a proof as JSON. Raises InvalidProof."""
    try:
        return msgspec.json.decode(text, type=Proof)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidProof(f"not a proof: {error}") from error


def check(proof: Proof, *, keys: Collection[str] = ()) -> tuple[EventRecord, CheckpointRecord]:
    """Check a proof; return the record, and the checkpoint that vouches for it.

    With `keys`, the checkpoint has to be signed by one of them. Raises InvalidProof.
    """
    line, signed = proof.record.encode() + b"\n", proof.checkpoint.encode() + b"\n"
    try:
        record, checkpoint = decode(line), decode(signed)
    except InvalidRecord as error:
        raise InvalidProof(f"no records: {error}") from error
    if not isinstance(record, EventRecord) or not isinstance(checkpoint, CheckpointRecord):
        raise InvalidProof("not the record of an event and a checkpoint")
    if keys and checkpoint.key not in keys:
        raise InvalidProof(f"signed by the key {checkpoint.key}, which was not given")
    if hash_in(line) is None or hash_in(signed) is None:
        raise InvalidProof("a record does not give its hash")
    if not checkpoint.signature or not is_signed_by(
        checkpoint.key, signed_part(signed), checkpoint.signature
    ):
        raise InvalidProof("the signature of the checkpoint does not fit")
    try:
        root = merkle.climb(sha256(line[:-HASH_END_BYTES]).digest(), proof.path)
    except ValueError as error:
        raise InvalidProof(f"the path is no list of hashes: {error}") from error
    if root.hex() != checkpoint.root:
        raise InvalidProof("the path does not lead to the root in the checkpoint")
    return record, checkpoint
