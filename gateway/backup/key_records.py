"""Defines how keys of Redis are written down in a backup, and reads and writes files of them.

Written down is what a key holds, not Redis's own dump of it, which a server of another version or
make does not take. Names are without `[redis] prefix`.
"""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from gateway.backup.manifest import InvalidBackup

__all__ = [
    "EntriesRecord",
    "GroupRecord",
    "KeyRecord",
    "PendingRecord",
    "Record",
    "RecordWriter",
    "StreamRecord",
    "read_records",
]

_LEVEL: Final = 1  # JSON shrinks to a fifth by it; more takes several times as long
_LENGTH_BYTES: Final = 4


class KeyRecord(Struct, frozen=True, kw_only=True, tag="key"):
    """A key that is no stream. `values` are those of a hash, sorted set (member, score), set or
    list in turn, and one of a string. `expires_at_ms` is None for a key that stays.
    """

    name: bytes
    kind: str
    expires_at_ms: int | None
    values: list[bytes]


class PendingRecord(Struct, frozen=True, kw_only=True, array_like=True):
    """An entry that was delivered and not acknowledged."""

    id: bytes
    consumer: bytes
    delivered_at_ms: int
    deliveries: int


class GroupRecord(Struct, frozen=True, kw_only=True):
    """A group's place on a stream. `entries_read` is None where the server does not know it."""

    name: bytes
    last_delivered_id: bytes
    entries_read: int | None
    pending: list[PendingRecord]


class StreamRecord(Struct, frozen=True, kw_only=True, tag="stream"):
    """A stream without its entries, which follow."""

    name: bytes
    last_id: bytes
    entries_added: int
    max_deleted_id: bytes
    groups: list[GroupRecord]


class EntriesRecord(Struct, frozen=True, kw_only=True, tag="entries"):
    """The next entries of a stream, each with its fields and values in turn."""

    name: bytes
    entries: list[tuple[bytes, list[bytes]]]


Record = KeyRecord | StreamRecord | EntriesRecord


class RecordWriter:
    """Writes records to an open file, and counts them."""

    def __init__(self, file: BinaryIO) -> None:
        self.keys = 0
        self.entries = 0
        # Without a time and a name: the same records make the same bytes.
        self._file = gzip.GzipFile("", "wb", _LEVEL, file, mtime=0)
        self._encoder = msgspec.msgpack.Encoder()

    def write(self, record: Record) -> None:
        """Write one more; raises OSError."""
        raw = self._encoder.encode(record)
        self._file.write(len(raw).to_bytes(_LENGTH_BYTES, "big") + raw)
        if isinstance(record, EntriesRecord):
            self.entries += len(record.entries)
        else:
            self.keys += 1

    def close(self) -> None:
        """Write what is still held back; raises OSError."""
        self._file.close()


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file, in order. Raises InvalidBackup."""
    decoder = msgspec.msgpack.Decoder(Record)
    try:
        with gzip.open(path, "rb") as file:
            while length := file.read(_LENGTH_BYTES):
                yield decoder.decode(file.read(int.from_bytes(length, "big")))
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise InvalidBackup(f"{path}: {error}") from error
