"""Encrypts the secrets that the gateway has to keep, by the keys of [vault].

Fernet: AES-128-CBC and HMAC-SHA-256. The newest key encrypts, every key decrypts, so a key is
changed by putting a new one first and taking the old one away when nothing needs it any more.
https://cryptography.io/en/latest/fernet/
"""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Self

from gateway.errors import GatewayError, OperatorError
from gateway.settings import VaultSettings, resolve_secret

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

__all__ = ["Unreadable", "Vault", "is_available"]


class Unreadable(GatewayError):
    """What was kept is broken, or was encrypted by a key that is not among [vault] keys."""


class Vault:
    """Encrypts and decrypts; made of the settings by `of`."""

    def __init__(self, keys: "Sequence[Fernet]", fernet: "MultiFernet") -> None:
        self._keys = keys
        self._fernet = fernet

    @classmethod
    def of(cls, settings: VaultSettings) -> Self | None:
        """The vault of these settings, None without keys; raises OperatorError for a bad key."""
        if not settings.keys:
            return None
        if not is_available():
            raise OperatorError("[vault] keys need the extra `vault` of this package")
        # Here, since the receiver has no other use for a library that takes 5 MB and 50 ms.
        from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415

        keys = []
        for number, key in enumerate(settings.keys, start=1):
            try:
                keys.append(Fernet(resolve_secret(key, name=f"[vault] keys, no. {number}")))
            except ValueError as error:
                raise OperatorError(f"[vault] keys, no. {number}: not a Fernet key") from error
        return cls(keys, MultiFernet(keys))

    def seal(self, secret: bytes) -> bytes:
        """Encrypt with the newest key."""
        return self._fernet.encrypt(secret)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt; raises Unreadable."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415

        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken as error:
            raise Unreadable("not by one of [vault] keys, or broken") from error

    def key_of(self, sealed: bytes) -> int | None:
        """The number of the key that encrypted this, 1 for the newest; None if it is none."""
        from cryptography.fernet import InvalidToken  # noqa: PLC0415

        for number, key in enumerate(self._keys, start=1):
            try:
                key.decrypt(sealed)
            except InvalidToken:
                continue
            return number
        return None

    def is_by_newest(self, sealed: bytes) -> bool:
        """Whether the newest key encrypted this; if not, it is to be sealed anew."""
        return self.key_of(sealed) == 1


def is_available() -> bool:
    """Whether the library is installed that a vault needs."""
    return find_spec("cryptography") is not None
