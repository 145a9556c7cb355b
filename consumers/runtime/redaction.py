"""Describes errors for logs and dead letters, in bounded length and without secrets."""

import re
from typing import Final

__all__ = ["describe", "redacted"]

_MAX_ERROR: Final = 1000
_SECRET: Final = re.compile(
    r"(?i)((?:access_|refresh_|application_)?token|auth|password|passwd|secret|api_?key)"
    r"(['\"]?\s*[=:]\s*['\"]?)[^\s&'\",;)]+"
)
_USERINFO: Final = re.compile(r"(\w+://)[^\s/@]+@")


def describe(error: BaseException) -> str:
    """An exception for people: its type and text, of bounded length, without secrets.

    One line. Whoever raises should leave secrets out; this is the second fence.
    """
    text = redacted(f"{type(error).__name__}: {_text(error)}")
    return text.replace("\n", " ")[:_MAX_ERROR]


def redacted(text: str) -> str:
    """The text without what looks like a secret, and without control characters but line ends."""
    text = _USERINFO.sub(r"\1***@", _SECRET.sub(r"\1\2***", text))
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)


def _text(error: BaseException) -> str:
    """What an exception says of itself, which a service's own class may fail at."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - it may raise anything, and the verdict stands
        return "(its text cannot be had)"
