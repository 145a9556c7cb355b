"""Makes Merkle trees over record hashes: a few prove that one record is among a thousand.

The shape is that of RFC 6962 (https://www.rfc-editor.org/rfc/rfc6962#section-2.1). A leaf is the
hash of a record, whose bytes begin with `{`; an inner node is the SHA-256 of the byte 01, the left
and the right hash. So no inner node can pass for a record.
"""

from collections.abc import Sequence
from hashlib import sha256

from msgspec import Struct

__all__ = ["Step", "climb", "path", "root"]

_EMPTY = sha256(b"").digest()


class Step(Struct, frozen=True):
    """The neighbour on the way up, in hexadecimal, and whether it stands left or right."""

    side: str
    hash: str


def root(leaves: Sequence[bytes]) -> bytes:
    """The root over 32-byte leaves; over none, the SHA-256 of nothing."""
    if not leaves:
        return _EMPTY
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> tuple[Step, ...]:
    """The neighbours from the leaf at `index` up to the root."""
    steps: list[Step] = []
    level = list(leaves)
    while len(level) > 1:
        neighbour = index ^ 1
        if neighbour < len(level):  # the last of an odd level goes up unchanged
            side = "left" if neighbour < index else "right"
            steps.append(Step(side, level[neighbour].hex()))
        level = _above(level)
        index //= 2
    return tuple(steps)


def climb(leaf: bytes, steps: Sequence[Step]) -> bytes:
    """The root that a leaf and its path lead to. Raises ValueError for what is no hash."""
    node = leaf
    for step in steps:
        neighbour = bytes.fromhex(step.hash)
        pair = neighbour + node if step.side == "left" else node + neighbour
        node = sha256(b"\x01" + pair).digest()
    return node


def _above(level: list[bytes]) -> list[bytes]:
    pairs = zip(level[::2], level[1::2], strict=False)
    above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
    if len(level) % 2:
        above.append(level[-1])
    return above
