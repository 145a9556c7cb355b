"""Makes, reads and uses the Ed25519 keys of the audit log. RFC 8032."""

import base64
import os
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from gateway.errors import OperatorError
from gateway.settings import resolve_secret

__all__ = ["KeyUnusable", "SigningKey", "generate", "public_key", "public_key_pem"]

_SETTING = "[audit] signing_key"


class KeyUnusable(OperatorError):
    """A key is missing, is not an Ed25519 key, or must not be overwritten."""


class SigningKey:
    """A private key in memory; never logged, never written."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public_key = private.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> str:
        """The signature in hexadecimal."""
        return self._private.sign(message).hex()

    @classmethod
    def of_setting(cls, setting: str) -> "SigningKey | None":
        """The key behind `[audit] signing_key`; None if that is empty.

        It is PEM (PKCS #8, as `openssl genpkey -algorithm ed25519` writes it), or the base64 text
        inside a PEM on one line, which suits an environment variable. Raises SettingsError or
        KeyUnusable, which never hold the value.
        """
        if not setting:
            return None
        text = resolve_secret(setting, name=_SETTING)
        try:
            if text.startswith("-----"):
                private = serialization.load_pem_private_key(text.encode(), password=None)
            else:
                der = base64.b64decode(text, validate=True)
                private = serialization.load_der_private_key(der, password=None)
        except (ValueError, TypeError) as error:
            raise KeyUnusable(f"{_SETTING}: not an unencrypted private key in PEM") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise KeyUnusable(f"{_SETTING}: not an Ed25519 key")
        return cls(private)


def generate(path: Path) -> str:
    """Write a new private key to `path`, readable by its owner only, and its public key beside it.

    The public key goes to `<path>.pub`. Returns it in hexadecimal. Never overwrites a file.
    """
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = private.public_key().public_bytes_raw().hex()
    try:
        for target, content, mode in (
            (path, pem, 0o600),
            (path.with_name(path.name + ".pub"), public_key_pem(public), 0o644),
        ):
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
    except OSError as error:
        raise KeyUnusable(f"{error.filename}: cannot be written: {error.strerror}") from error
    return public


def public_key(text: str) -> str:
    """The public key, in hexadecimal, that an argument means: itself, or a PEM file of it."""
    if len(text) == 64 and not set(text.lower()) - set("0123456789abcdef"):
        return text.lower()
    try:
        key = serialization.load_pem_public_key(Path(text).read_bytes())
    except OSError as error:
        raise KeyUnusable(f"{text}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise KeyUnusable(f"{text}: not a public key in PEM") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(f"{text}: not an Ed25519 key")
    return key.public_bytes_raw().hex()


def public_key_pem(key: str) -> bytes:
    """The PEM form of a public key in hexadecimal, as openssl reads it."""
    public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
