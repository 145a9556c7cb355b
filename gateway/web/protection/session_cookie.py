"""Writes and reads the cookie of a browser whose token was right: who, until when, and signed.

Nothing is kept of a session. The key is made of the tokens, so that one that is changed ends all
sessions, and a restart none.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

__all__ = ["ConsoleRole", "ConsoleSession", "SessionSigner"]

ConsoleRole: TypeAlias = Literal["viewer", "operator"]

_PURPOSE: Final = b"bitrix24-event-gateway console session"
_MOST_CHARACTERS: Final = 2000


class ConsoleSession(Struct, frozen=True, kw_only=True):
    """What a session may do, until a Unix time; `name` is what somebody calls themselves."""

    role: ConsoleRole
    name: str
    until: int


class SessionSigner:
    """Signs sessions with a key that only this installation's tokens give."""

    def __init__(self, *tokens: str) -> None:
        """`tokens` in a fixed order; whoever knows but some of them can forge nothing."""
        digests = b"".join(hashlib.sha256(token.encode()).digest() for token in tokens)
        self._key = hmac.digest(digests, _PURPOSE, "sha256")

    def written(self, session: ConsoleSession) -> str:
        """The value of the cookie."""
        body = msgspec.json.encode(session)
        return f"{_text(body)}.{_text(self._signature(body))}"

    def read(self, value: str, *, now: float) -> ConsoleSession | None:
        """The session, if we have signed it and its time is not over."""
        body, _, signature = value[:_MOST_CHARACTERS].partition(".")
        try:
            raw, signed = _bytes(body), _bytes(signature)
        except (binascii.Error, ValueError):
            return None
        if not hmac.compare_digest(signed, self._signature(raw)):
            return None
        try:
            session = msgspec.json.decode(raw, type=ConsoleSession)
        except msgspec.DecodeError:  # of another version, with the same tokens
            return None
        return session if session.until > now else None

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
