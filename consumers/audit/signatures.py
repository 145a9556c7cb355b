"""Checks Ed25519 signatures of the audit log. RFC 8032."""

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

__all__ = ["is_signed_by"]


def is_signed_by(key: str, message: bytes, signature: str) -> bool:
    """Whether `signature` is that of `key` over `message`; False for anything malformed."""
    # Here, since a log that is not signed has no use for a library that takes 3 MB and 50 ms.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    try:
        _public(key).verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


@lru_cache(maxsize=64)
def _public(key: str) -> "Ed25519PublicKey":
    # As above.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    return Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
