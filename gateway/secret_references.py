"""Reads secrets that settings name instead of holding: `env:NAME`, `file:/path`, `credential:NAME`.

A credential is a file that systemd, or whoever else keeps to that, gives one process alone, in the
directory that `$CREDENTIALS_DIRECTORY` names: https://systemd.io/CREDENTIALS/.
"""

import os
from pathlib import Path
from typing import Final

from gateway.errors import SettingsError

__all__ = ["is_reference", "resolve_secret"]

_CREDENTIAL: Final = "credential:"


def is_reference(value: str) -> bool:
    """Whether a setting names where its secret is. `file:///path` is a URL and names nothing."""
    return value.startswith(("env:", _CREDENTIAL)) or (
        value.startswith("file:") and not value.startswith("file://")
    )


def resolve_secret(value: str, *, name: str) -> str:
    """The secret behind a setting: itself, or what it refers to, without white space around.

    Files end with a newline, and whoever pastes takes a blank along: neither is part of a secret.
    Raises SettingsError, which names the setting `name` and never the value, if it is missing
    or empty.
    """
    secret = value
    if value.startswith("env:"):
        secret = os.environ.get(value[4:], "")
    elif is_reference(value):
        try:
            secret = _file_of(value, name).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}: {value} cannot be read: {error}") from error
    if not secret.strip():
        told = value if is_reference(value) else "the value"
        raise SettingsError(f"{name}: {told} is not set or empty")
    return secret.strip()


def _file_of(value: str, name: str) -> Path:
    """The file that a `file:` or a `credential:` means."""
    if not value.startswith(_CREDENTIAL):
        return Path(value.removeprefix("file:"))
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise SettingsError(f"{name}: {value}: this process was given no credentials by systemd")
    credential = value.removeprefix(_CREDENTIAL)
    if Path(credential).name != credential:
        raise SettingsError(f"{name}: {value}: a credential is the name of a file, not a path")
    return Path(directory) / credential
