"""Keeps the head of a chain: a small signed file that says which record was acknowledged last.

It makes missing last records visible, which a chain of hashes alone cannot. It is written over in
place, in two slots by turns, so that a write that is cut short leaves the head before it: that
costs one `fdatasync` of a block that is already there, and no space on a full disk.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from consumers.audit.records import Head, InvalidRecord, Signer, decode, encode, hash_in
from gateway.durable_directory import fsync_directory

__all__ = ["HeadFile", "SignedHead", "read_head"]

_SLOT_BYTES: Final = 1024  # a head of a chain with a long name has about 600 bytes
_NAME: Final = "head"


class SignedHead(msgspec.Struct, frozen=True):
    """A head, and the line that it was read from.

    `has_former` says whether the head before it can be read too, as it can unless a crash tore one
    of the two, or somebody did; the same head twice is none before it.
    """

    head: Head
    line: bytes
    has_former: bool


def read_head(chain: Path) -> SignedHead | None:
    """The latest whole head; None if there is none. Signatures are the caller's business."""
    try:
        content = (chain / _NAME).read_bytes()
    except FileNotFoundError:
        return None
    found: list[tuple[Head, bytes]] = []
    for start in (0, _SLOT_BYTES):
        line = content[start : start + _SLOT_BYTES].rstrip(b" \n\0") + b"\n"
        try:
            head = decode(line)
        except InvalidRecord:
            continue
        if isinstance(head, Head) and hash_in(line) is not None:
            found.append((head, line))
    if not found:
        return None
    latest, line = max(found, key=lambda one: one[0].seq)
    return SignedHead(latest, line, has_former=any(head.seq < latest.seq for head, _ in found))


class HeadFile:
    """Writes the head of a chain, for its one writer. Raises OSError."""

    def __init__(self, chain: Path) -> None:
        path = chain / _NAME
        is_new = not path.exists()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
        if is_new or path.stat().st_size < 2 * _SLOT_BYTES:
            os.pwrite(self._descriptor, b" " * 2 * _SLOT_BYTES, 0)
            os.fsync(self._descriptor)
            fsync_directory(chain)
        before = read_head(chain)
        content = path.read_bytes()
        # The next slot is the one that does not hold the latest head.
        self._slot = int(before is not None and content.startswith(before.line))

    def write(self, head: Head, signer: Signer | None) -> None:
        """Replace the head, durably."""
        line, _ = encode(head, signer)
        if len(line) > _SLOT_BYTES:
            raise ValueError(f"a head of {len(line)} bytes does not fit its slot")
        os.pwrite(self._descriptor, line.ljust(_SLOT_BYTES), self._slot * _SLOT_BYTES)
        os.fdatasync(self._descriptor)
        self._slot ^= 1

    def close(self) -> None:
        """Give the file back."""
        os.close(self._descriptor)
