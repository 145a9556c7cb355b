"""Signs deliveries as Standard Webhooks has it, by shared secrets. Pure.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import hmac
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Sequence
from typing import Final

from gateway.errors import SettingsError

__all__ = ["ID", "SIGNATURE", "TIMESTAMP", "secret_key", "signature", "signing_key"]

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"

_PREFIX: Final = "whsec_"
_LEAST_BYTES: Final = 24
_MOST_BYTES: Final = 64


def secret_key(secret: str, *, name: str) -> bytes:
    """The bytes to sign with: a secret is `whsec_`, which may be missing, and their Base64.

    Raises SettingsError, which names the setting `name` and never the value, for what is none.
    """
    try:
        text = secret.removeprefix(_PREFIX)
        key = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        key = b""
    if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise SettingsError(
            f"{name}: a secret is {_PREFIX} and the Base64 of {_LEAST_BYTES} to {_MOST_BYTES} bytes"
        )
    return key


def signing_key(key: bytes) -> hmac.HMAC:
    """HMAC-SHA256 begun with a key, as `signature` goes on with copies of: half of its cost."""
    return hmac.new(key, digestmod="sha256")


def signature(keys: Sequence[hmac.HMAC], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The header's value: a signature by each key, of the id, the moment and the body as sent.

    `timestamp` is that of the attempt, in seconds since 1970: receivers refuse old ones, which is
    what keeps somebody who has seen a delivery from sending it again.
    """
    signed = b"%b.%d.%b" % (message_id.encode(), timestamp, body)
    return " ".join([f"v1,{_signed(key, signed)}" for key in keys])


def _signed(key: hmac.HMAC, message: bytes) -> str:
    begun = key.copy()
    begun.update(message)
    return b2a_base64(begun.digest(), newline=False).decode()
