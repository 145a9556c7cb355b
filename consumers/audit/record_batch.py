"""Makes the lines that are to be added to a chain, in memory. No I/O."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from consumers.audit import merkle
from consumers.audit.records import EVENT_LINE, CheckpointRecord, Record, Signer, encode, seal

__all__ = ["Position", "RecordBatch"]


class Position(Struct, frozen=True):
    """The end of a chain: its last record, the file and the byte where that ends.

    `leaves` are the hashes of the records since the last checkpoint.
    """

    prev: str
    seq: int
    day: str
    end: int
    leaves: tuple[bytes, ...]


class RecordBatch:
    """Lines that continue a chain from a position, with checkpoints where they are due."""

    def __init__(
        self,
        at: Position,
        *,
        chain: str,
        recorded_at: str,
        signer: Signer | None,
        checkpoint_every: int,
    ) -> None:
        self._chain = chain
        self._recorded_at = recorded_at
        self._signer = signer
        self._checkpoint_every = checkpoint_every
        self._prev = at.prev
        self._seq = at.seq
        self._day = at.day
        self._end = at.end
        self._leaves = list(at.leaves)
        self._lines: list[bytes] = []

    @property
    def data(self) -> bytes:
        """The lines."""
        return b"".join(self._lines)

    @property
    def position(self) -> Position:
        """Where the chain ends with these lines."""
        end = self._end + sum(map(len, self._lines))
        return Position(self._prev, self._seq, self._day, end, tuple(self._leaves))

    def add_event(self, stream: str, partition: int, entry_id: str, raw: bytes) -> None:
        """An event, as it stands on the stream; line ends between its tokens go."""
        if b"\n" in raw or b"\r" in raw:
            raw = msgspec.json.format(raw, indent=-1)
        body = EVENT_LINE % (
            self._prev.encode(),
            self._seq + 1,
            self._recorded_at.encode(),
            stream.encode(),
            partition,
            entry_id.encode(),
            raw,
        )
        self._add_leaf(*seal(body))

    def add(self, kind: Callable[..., Record], **fields: Any) -> None:
        """A record of the log's own, signed if there is a key."""
        self._add_leaf(*self._encode(kind, fields))

    def checkpoint(self) -> None:
        """A checkpoint over everything since the last one; nothing if there is nothing."""
        if not self._leaves:
            return
        first = self._seq + 1 - len(self._leaves)
        root = merkle.root(self._leaves).hex()
        self._link(*self._encode(CheckpointRecord, {"first": first, "root": root}))
        self._leaves.clear()

    def _encode(self, kind: Callable[..., Record], fields: dict[str, Any]) -> tuple[bytes, str]:
        record = kind(
            prev=self._prev,
            seq=self._seq + 1,
            recorded_at=self._recorded_at,
            chain=self._chain,
            **fields,
        )
        return encode(record, self._signer)

    def _add_leaf(self, line: bytes, digest: str) -> None:
        self._link(line, digest)
        self._leaves.append(bytes.fromhex(digest))
        if len(self._leaves) >= self._checkpoint_every:
            self.checkpoint()

    def _link(self, line: bytes, digest: str) -> None:
        self._lines.append(line)
        self._prev = digest
        self._seq += 1
