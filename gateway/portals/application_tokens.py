"""Checks whether a delivery's application token is one of a portal's.

The token in the body is the only proof that Bitrix24 gives: no signature, no nonce.
https://apidocs.bitrix24.com/api-reference/events/safe-event-handlers.html
"""

from collections.abc import Iterable
from hashlib import sha256
from hmac import compare_digest
from typing import Final

__all__ = ["NO_DIGEST", "digest_of", "is_genuine", "shown"]

NO_DIGEST: Final = bytes(32)
"""Stands where there is no token to compare with: the digest of no text that anybody knows."""
_SHOWN_DIGITS: Final = 12


def digest_of(token: str) -> bytes:
    """The digest under which a token is kept: tokens themselves stay out of long-lived memory.

    Without salt or stretching, which protect what people choose: Bitrix24 makes its tokens of 32
    random characters.
    """
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def is_genuine(token: str | None, digests: Iterable[bytes]) -> bool:
    """True if `token` is one of those with these digests.

    Takes the same time whichever digest matches, or none. An empty or missing token never does.
    """
    claimed = digest_of(token or "")
    is_known = False
    for digest in digests:
        is_known |= compare_digest(claimed, digest)
    return is_known and bool(token)


def shown(digest: bytes) -> str:
    """As much of a digest as tells tokens apart, for people; nothing to guess a token from."""
    return digest.hex()[:_SHOWN_DIGITS]
