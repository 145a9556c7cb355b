"""Reads secrets that a setting names instead of holding: `env:NAME` and `file:/path`."""

import os
from pathlib import Path

from gateway.errors import SettingsError

__all__ = ["is_reference", "resolve_secret"]


def is_reference(value: str) -> bool:
    """Whether a setting names where its secret is. `file:///path` is a URL and names nothing."""
    return value.startswith("env:") or (
        value.startswith("file:") and not value.startswith("file://")
    )


def resolve_secret(value: str, *, name: str) -> str:
    """The secret behind a setting: itself, `env:NAME` or `file:/path`, without white space around.

    Files end with a newline, and whoever pastes takes a blank along: neither is part of a secret.
    Raises SettingsError, which names the setting `name` and never the value, if it is missing
    or empty.
    """
    secret = value
    if value.startswith("env:"):
        secret = os.environ.get(value[4:], "")
    elif is_reference(value):
        try:
            secret = Path(value[5:]).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}: {value} cannot be read: {error}") from error
    if not secret.strip():
        told = value if is_reference(value) else "the value"
        raise SettingsError(f"{name}: {told} is not set or empty")
    return secret.strip()
