"""Describes the lines of an audit log: what a record looks like, and how it is chained. No I/O.

A record is one line of JSON. It begins with its kind and with `prev`, the hash of the record
before it; it ends with `hash`, the SHA-256 of the very bytes of the line before `,"hash":`. So a
line is checked without parsing it, and no other JSON library has to encode it the same way again.

A signed record (checkpoint, tombstone, new key, head) also has `key`, the Ed25519 public key, and
`signature`, which is over the very bytes of the line before `,"signature":`. These bytes hold
`prev`, so one signature vouches for every record before it.
"""

from hashlib import sha256
from typing import Final, Protocol

import msgspec
from msgspec import Raw, Struct

__all__ = [
    "EVENT_LINE",
    "GENESIS",
    "HASH_END_BYTES",
    "BegunRecord",
    "CheckpointRecord",
    "EventRecord",
    "GapRecord",
    "Head",
    "InvalidRecord",
    "MissingRecord",
    "NewKeyRecord",
    "Record",
    "RemovedFile",
    "RepairedRecord",
    "Signer",
    "TombstoneRecord",
    "decode",
    "encode",
    "hash_in",
    "intact",
    "seal",
    "signed_part",
]

GENESIS: Final = "0" * 64
"""The `prev` of the first record of a chain."""

EVENT_LINE: Final = (
    b'{"kind":"event","prev":"%b","seq":%d,"recorded_at":"%b",'
    b'"stream":"%b","partition":%d,"entry":"%b","event":%b'
)
"""A record of an event up to its hash, to be filled in; the event's JSON is copied as it is."""

_HASH: Final = b',"hash":"'
_SIGNATURE: Final = b',"signature":"'
_END: Final = b'"}\n'
HASH_END_BYTES: Final = len(_HASH) + 64 + len(_END)
"""How many bytes of a line stand behind what its hash covers."""


class InvalidRecord(ValueError):
    """The line is not a record of an audit log."""


class Signer(Protocol):
    """A private key."""

    @property
    def public_key(self) -> str:
        """The raw public key in hexadecimal."""
        ...

    def sign(self, message: bytes) -> str:
        """The signature in hexadecimal."""
        ...


class _Link(Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
    """What every record has: `seq` counts the records of a chain from 1, without gaps.

    `key`, `signature` and `hash` are filled in by `encode`.
    """

    prev: str
    seq: int
    recorded_at: str
    key: str = ""
    signature: str = ""
    hash: str = ""


class EventRecord(_Link, frozen=True, kw_only=True, tag="event"):
    """An event of the stream. `entry` is its id there, unique within stream and partition."""

    stream: str
    partition: int
    entry: str
    event: Raw


class BegunRecord(_Link, frozen=True, kw_only=True, tag="begun"):
    """The first record of a chain."""

    chain: str
    version: int = 1


class CheckpointRecord(_Link, frozen=True, kw_only=True, tag="checkpoint"):
    """The Merkle root of the hashes of the records from `first` up to the one before this."""

    chain: str
    first: int
    root: str


class RemovedFile(Struct, frozen=True, kw_only=True):
    """A file that retention removed: its last record."""

    file: str
    last_seq: int
    last_hash: str


class TombstoneRecord(_Link, frozen=True, kw_only=True, tag="tombstone"):
    """Retention removed the oldest files of the chain."""

    chain: str
    kept_days: int
    removed: tuple[RemovedFile, ...]


class RepairedRecord(_Link, frozen=True, kw_only=True, tag="repaired"):
    """Bytes that were never acknowledged were cut off after a crash: how many, and their hash."""

    chain: str
    file: str
    cut_bytes: int
    cut_sha256: str


class GapRecord(Struct, frozen=True, kw_only=True):
    """Entries behind `after`, up to `until`, were acknowledged and are not in the chain.

    `count` of them were on the stream when that was found, so that a replay could bring them back;
    `is_all` says that these were all, because nothing of that part of the stream was trimmed.
    """

    after: str
    until: str
    count: int
    is_all: bool


class MissingRecord(_Link, frozen=True, kw_only=True, tag="missing"):
    """Acknowledged entries are not in the chain, which was found when it was opened."""

    chain: str
    gap: GapRecord


class NewKeyRecord(_Link, frozen=True, kw_only=True, tag="new_key"):
    """From here on `key` signs; `former` signed before, or nobody if it is empty."""

    chain: str
    former: str = ""


class Head(_Link, frozen=True, kw_only=True, tag="head"):
    """How far the chain goes; kept beside it. `prev` and `seq` are those of its last record.

    `file` and `end` say where that record ends; `newest` is the highest entry id in the chain.
    """

    chain: str
    file: str
    end: int
    newest: str


Record = (
    BegunRecord
    | EventRecord
    | CheckpointRecord
    | TombstoneRecord
    | RepairedRecord
    | MissingRecord
    | NewKeyRecord
    | Head
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)


def seal(body: bytes) -> tuple[bytes, str]:
    """The line of a record whose bytes before the hash are `body`, and its hash."""
    digest = sha256(body).hexdigest()
    return b"".join((body, _HASH, digest.encode(), _END)), digest


def encode(record: Record, signer: Signer | None) -> tuple[bytes, str]:
    """The line of a record, signed if there is a key, and its hash."""
    if signer is None:
        return seal(_encoder.encode(record)[:-1])
    body = _encoder.encode(msgspec.structs.replace(record, key=signer.public_key))[:-1]
    return seal(b"".join((body, _SIGNATURE, signer.sign(body).encode(), b'"')))


def decode(line: bytes) -> Record:
    """Read a line; whether its hash and its signature fit is not looked at.

    Raises InvalidRecord.
    """
    try:
        return _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidRecord(str(error)) from error


def intact(line: bytes) -> Record | None:
    """The record of a line whose hash fits; None for any other."""
    try:
        return decode(line) if hash_in(line) is not None else None
    except InvalidRecord:
        return None


def hash_in(line: bytes) -> str | None:
    """The hash at the end of a whole line if it is the hash of the bytes before it, else None."""
    body = line[:-HASH_END_BYTES]
    digest = sha256(body).hexdigest()
    return digest if line[-HASH_END_BYTES:] == b"".join((_HASH, digest.encode(), _END)) else None


def signed_part(line: bytes) -> bytes:
    """The bytes of a signed record that its signature is over."""
    return line[: line.rindex(_SIGNATURE)]
