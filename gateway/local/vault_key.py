"""Keeps the key of the vault on a machine where nobody gave one."""

import os
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Final

from gateway.durable_directory import fsync_directory, make_directory
from gateway.errors import OperatorError

__all__ = ["KEY_FILE", "ensured_key"]

KEY_FILE: Final = Path("var/vault.key")
_KEY_BYTES: Final = 32  # https://github.com/fernet/spec/blob/master/Spec.md#key-format


def ensured_key(path: Path) -> None:
    """Make sure that a Fernet key is in `path`, for its owner only.

    Several processes may do so at once, and all of them find the same key. Raises OperatorError.
    """
    if path.exists():
        return
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        make_directory(path.parent)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(urlsafe_b64encode(os.urandom(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            path.hardlink_to(fresh)  # unlike a rename, it replaces no key
        fresh.unlink()
        fsync_directory(path.parent)
    except OSError as error:
        raise OperatorError(f"{path}: no key for the vault can be made: {error}") from error
